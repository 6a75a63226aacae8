#include "plugin/trace/row_file.h"

#include "plugin/trace/row_file_reader.h"

namespace saetap {

namespace {

void record(const RowFileBatch& batch, ActivationStream& stream, Provenance& provenance) {
  std::vector<std::uint8_t> attended(batch.ids.size()), has_row(batch.ids.size());
  for (std::size_t i = 0; i < batch.flags.size(); ++i) {
    attended[i] = (batch.flags[i] & kAttended) != 0 ? 1 : 0;
    has_row[i] = (batch.flags[i] & kHasRow) != 0 ? 1 : 0;
  }
  provenance.record(stream, {batch.ids, batch.length, attended}, has_row, batch.rows);
}

}  // namespace

std::uint64_t load_row_file(const std::string& path, Provenance& provenance) {
  RowFileReader file(path);
  const auto& head = file.head();
  RowFileBatch batch;
  while (file.next(batch)) {
  }
  auto* stream = provenance.add_stream("index " + head.name, head.width, head.rows, head.pairs);
  if (stream == nullptr) {
    throw RowFileError("rows named \"" + head.name + "\" of width " + std::to_string(head.width) +
                       " were loaded from another file: index all shards of one stream in one file, or tell streams "
                       "apart with --name");
  }
  file.rewind();
  while (file.next(batch)) record(batch, *stream, provenance);
  return head.rows;
}

}  // namespace saetap
