/* A callback library that was built with the first header: it writes down what it is told, and checks the rest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "saetap_abi1.h"

static FILE* notes;
static const char* wrong;

static int refuse(const char* what) {
  wrong = what;
  return 1;
}

static int on_attach(void* self, const saetap_site_info* site) {
  (void)self;
  if (site->struct_size < sizeof *site || site->features != 4) return refuse("another site");
  fprintf(notes, "attach %s\n", site->name);
  return 0;
}

static int bars(void* self, const saetap_site_info* site, uint64_t step, float* bars) {
  (void)self;
  (void)step;
  for (int64_t feature = 0; feature < site->features; ++feature) bars[feature] = 12;
  return 0;
}

/* Of what reaches the bars: how many, and the token of the last one. */
static int on_batch(void* self, const saetap_batch* batch) {
  int64_t reached = 0, token = -1;
  (void)self;
  if (batch->struct_size < sizeof *batch || batch->rows != 16 || batch->eligible != 16) return refuse("another batch");
  for (int64_t i = 0; i < batch->found_count; ++i) {
    const saetap_candidates* found = &batch->found[i];
    for (int64_t j = 0; j < found->count; ++j) {
      const saetap_place* place = &batch->places[found->items[j].row];
      const int32_t* tokens = NULL;
      const int64_t length = batch->tokens(batch, place->sequence, &tokens);
      if (found->items[j].activation < 12) continue;
      ++reached;
      if (place->position < length && tokens[place->position] > token) token = tokens[place->position];
    }
  }
  fprintf(notes, "batch %s reached %d, latest token %d, sum of 3 %.0f\n", batch->site->name, (int)reached, (int)token,
          batch->sums[3].sum);
  return 0;
}

static int on_step(void* self, const saetap_step* step) {
  (void)self;
  if (step->struct_size < sizeof *step) return refuse("another step");
  fprintf(notes, "step %s %d\n", step->site->name, (int)step->step);
  return 0;
}

static int on_checkpoint(void* self, int last) {
  (void)self;
  fprintf(notes, "checkpoint %d\n", last);
  return 0;
}

static int on_finish(void* self) {
  (void)self;
  fprintf(notes, "finish\n");
  return 0;
}

static const char* failure(void* self) {
  (void)self;
  return wrong;
}

static void close_notes(void* self) {
  fprintf(notes, "close %s\n", (const char*)self);
  fclose(notes);
}

SAETAP_EXPORT int saetap_callback_open(const saetap_api* api, const char* options_json, saetap_callback* callback) {
  callback->failure = failure;
  if (api->abi_version != 1 || callback->struct_size < sizeof *callback) return refuse("another saetap");
  if (strstr(options_json, "\"least\"") == NULL) return refuse("other options");
  notes = fopen("notes.txt", "w");
  if (notes == NULL) return refuse("notes.txt cannot be written");
  callback->self = (void*)"itself";
  callback->on_attach = on_attach;
  callback->bars = bars;
  callback->on_batch = on_batch;
  callback->on_step = on_step;
  callback->on_checkpoint = on_checkpoint;
  callback->on_finish = on_finish;
  callback->close = close_notes;
  return 0;
}
