// Index files as a source of tokens: see row_file_format.h for what is in one.
#pragma once

#include <cstdint>
#include <string>

#include "plugin/trace/provenance.h"

namespace saetap {

// Remembers all rows of an index file as one stream, "index NAME", and returns how many there are. Nothing of a damaged
// file is remembered: it is read through once before. Throws RowFileError, without the path: what RowFileReader throws,
// or that a file of the same name and width was loaded before.
//
// Rows of several files of one stream could not be told apart by one set of pairs, so that one file has to hold all the
// rows that a reader mixes.
std::uint64_t load_row_file(const std::string& path, Provenance& provenance);

}  // namespace saetap
