/* A callback that writes down all it is told, one JSON object a line, into the file that its options are the name of:
 * {"path": …} and nothing else. Behind "fail_at" it fails at that batch. */
#include <saetap/saetap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const saetap_api* tap;
static FILE* file;
static long batches;
static long fail_at = -1;
static int asked;

static int attach(void* self, const saetap_site_info* site) {
  (void)self;
  fprintf(file, "{\"event\": \"attach\", \"id\": %d, \"site\": \"%s\", \"features\": %lld, \"d_in\": %lld}\n", site->id,
          site->name, (long long)site->features, (long long)site->d_in);
  return 0;
}

/* Feature 3 from 0.5 on at first, and from then on, against the rules, everything of it. */
static int bars(void* self, const saetap_site_info* site, uint64_t step, float* bars) {
  (void)self;
  (void)site;
  (void)step;
  bars[3] = asked++ == 0 ? 0.5f : 0.0f;
  return 0;
}

static void write_candidate(const saetap_batch* batch, const saetap_candidate* one) {
  const saetap_place place = batch->places[one->row];
  const int32_t* tokens = NULL;
  const int64_t length = batch->tokens(batch, place.sequence, &tokens);
  fprintf(file,
          "{\"event\": \"candidate\", \"step\": %llu, \"row\": %u, \"feature\": %u, \"activation\": %.9g, "
          "\"sequence\": \"%016llx\", \"position\": %u, \"length\": %lld, \"token\": %d}\n",
          (unsigned long long)batch->step, one->row, one->feature, one->activation, (unsigned long long)place.sequence,
          place.position, (long long)length, length > place.position ? tokens[place.position] : -1);
}

static int batch(void* self, const saetap_batch* batch) {
  (void)self;
  if (batches++ == fail_at) return 7;
  unsigned long long active = 0;
  for (int64_t feature = 0; feature < batch->site->features; ++feature) active += batch->sums[feature].active;
  fprintf(file, "{\"event\": \"batch\", \"step\": %llu, \"phase\": %d, \"rows\": %lld, \"active\": %llu}\n",
          (unsigned long long)batch->step, batch->phase, (long long)batch->rows, active);
  for (int64_t range = 0; range < batch->found_count; ++range) {
    for (int64_t i = 0; i < batch->found[range].count; ++i) write_candidate(batch, &batch->found[range].items[i]);
  }
  return 0;
}

static int step(void* self, const saetap_step* step) {
  (void)self;
  fprintf(file, "{\"event\": \"step\", \"step\": %llu, \"collected\": %d}\n", (unsigned long long)step->step,
          step->collected);
  return 0;
}

/* From within a callback what is kept may be read; the session itself may not be asked. */
static int checkpoint(void* self, int last) {
  (void)self;
  int64_t sites = 0;
  int64_t kept = 0;
  saetap_statistics totals;
  saetap_site_counts counts = {sizeof counts, 0, 0, 0, 0, 0, 0, 0, 0};
  saetap_sample top[2];
  const int read = tap->site_count(&sites) | tap->statistics(0, 3, 1, &totals) | tap->top_samples(0, 3, top, 2, &kept);
  fprintf(file,
          "{\"event\": \"checkpoint\", \"last\": %d, \"read\": %d, \"sites\": %lld, \"active\": %llu, \"kept\": %lld, "
          "\"top\": %.9g, \"counts\": %d, \"stop\": %d}\n",
          last, read, (long long)sites, (unsigned long long)totals.active, (long long)kept,
          kept > 0 ? top[0].activation : 0, tap->site_counts(0, &counts), tap->stop());
  return 0;
}

static int finish(void* self) {
  (void)self;
  fprintf(file, "{\"event\": \"finish\"}\n");
  return 0;
}

static const char* failure(void* self) {
  (void)self;
  return batches == 0 ? "no path, or it cannot be written" : "as it was told";
}

static void close_file(void* self) {
  (void)self;
  if (file == NULL) return;
  fprintf(file, "{\"event\": \"close\"}\n");
  fclose(file);
}

int saetap_callback_open(const saetap_api* api, const char* options, saetap_callback* callback) {
  char path[4096] = "";
  const char* from = strstr(options, "\"path\":\"");
  const char* fail = strstr(options, "\"fail_at\":");
  callback->failure = failure;
  callback->close = close_file;
  if (fail != NULL) fail_at = strtol(fail + 10, NULL, 10);
  if (from != NULL) sscanf(from + 8, "%4095[^\"]", path);
  file = path[0] != 0 ? fopen(path, "w") : NULL;
  if (file == NULL || api->struct_size < sizeof *api || callback->struct_size < sizeof *callback) return 1;
  tap = api;
  callback->on_attach = attach;
  callback->bars = bars;
  callback->on_batch = batch;
  callback->on_step = step;
  callback->on_checkpoint = checkpoint;
  callback->on_finish = finish;
  return 0;
}
