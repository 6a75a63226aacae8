/* A program that was built with the first header goes through everything that header has, with the library of today.
 *
 *   client LIBSAETAP.SO CALLBACK-LIBRARY        in a folder of its own */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "saetap_abi1.h"

enum { BATCH = 2, LENGTH = 8, ROWS = BATCH * LENGTH, FEATURES = 4, WIDTH = 64 };

static const saetap_api* tap;
static int failures;
static int texts_asked;

#define CHECK(condition)                                                                             \
  do {                                                                                               \
    if (!(condition)) {                                                                              \
      fprintf(stderr, "client.c:%d: %s (%s)\n", __LINE__, #condition, tap ? tap->last_error() : ""); \
      ++failures;                                                                                    \
    }                                                                                                \
  } while (0)

static void* symbol(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (found == NULL) {
    fprintf(stderr, "client: no %s\n", name);
    exit(1);
  }
  return found;
}

static int64_t token_text(int32_t id, char* text, int64_t size, void* user) {
  ++*(int*)user;
  return snprintf(text, size > 0 ? (size_t)size : 0, "<%d>", (int)id);
}

/* ---- the functions that are exported by name ---- */

static void check_exports(void* library) {
  int (*init)(const char*);
  int (*set_tokens)(const int64_t*, int64_t, int64_t, const uint8_t*, const int64_t*, int64_t);
  int (*set_token_text)(saetap_token_text, void*);
  int (*checkpoint)(void);
  int (*stop)(void);
  const char* (*last_error)(void);
  const char* (*version)(void);
  const saetap_api* (*get_api)(uint32_t);
  const int64_t token = 1;
  *(void**)&init = symbol(library, "saetap_plugin_init");
  *(void**)&set_tokens = symbol(library, "saetap_set_tokens");
  *(void**)&set_token_text = symbol(library, "saetap_set_token_text");
  *(void**)&checkpoint = symbol(library, "saetap_checkpoint");
  *(void**)&stop = symbol(library, "saetap_stop");
  *(void**)&last_error = symbol(library, "saetap_last_error");
  *(void**)&version = symbol(library, "saetap_version");
  *(void**)&get_api = symbol(library, "saetap_get_api");
  CHECK(init("{}") == SAETAP_OFF);
  CHECK(init("{\"saetap\": {\"no_such_key\": 1}}") == SAETAP_BAD_CONFIG);
  CHECK(strstr(last_error(), "no_such_key") != NULL);
  CHECK(set_tokens(&token, 1, 1, NULL, NULL, 0) == SAETAP_NOT_RUNNING);
  CHECK(checkpoint() == SAETAP_NOT_RUNNING);
  CHECK(stop() == SAETAP_NOT_RUNNING);
  CHECK(set_token_text(NULL, NULL) == SAETAP_OK || last_error()[0] != '\0');
  CHECK(get_api(0) == NULL);
  CHECK(strstr(last_error(), " 0 ") != NULL && strstr(last_error(), " 1") != NULL);
  CHECK(get_api(2) == NULL);
  tap = get_api(1);
  CHECK(tap != NULL);
  if (tap == NULL) exit(1);
  CHECK(strcmp(tap->version(), version()) == 0);
}

/* ---- what is given ---- */

static saetap_array array(const void* data, int32_t type, int32_t dims, const int64_t* shape) {
  const saetap_array made = {data, type, dims, shape, NULL};
  return made;
}

/* Row r has feature r % FEATURES at r + 1. */
static void give_dense(saetap_site* site, const int64_t* tokens) {
  static float activations[ROWS][FEATURES];
  const int64_t shape[] = {ROWS, FEATURES};
  const saetap_array given = array(activations, SAETAP_FLOAT32, 2, shape);
  const saetap_call call = {sizeof call, SAETAP_TRAIN, &given, NULL, NULL};
  for (int row = 0; row < ROWS; ++row) activations[row][row % FEATURES] = (float)(row + 1);
  CHECK(tap->set_tokens(tokens, BATCH, LENGTH, NULL, NULL, 0) == SAETAP_OK);
  CHECK(tap->observe(site, &call) == SAETAP_OK);
}

/* Pairs of which every row has one: feature 3 at 100 + r; tokens are found by the rows that a model computed. */
static void give_pairs(saetap_site* site, const int64_t* tokens) {
  double values[ROWS] = {0};
  int64_t features[ROWS] = {0};
  float rows[ROWS][WIDTH] = {{0}};
  const int64_t by_row[] = {ROWS, 1}, by_text[] = {BATCH, LENGTH}, of_model[] = {BATCH, LENGTH, WIDTH};
  const int64_t of_rows[] = {ROWS, WIDTH};
  const saetap_array given = array(values, SAETAP_FLOAT64, 2, by_row), which = array(features, SAETAP_INT64, 2, by_row);
  const saetap_array text = array(tokens, SAETAP_INT64, 2, by_text),
                     computed = array(rows, SAETAP_FLOAT32, 3, of_model);
  const saetap_array seen = array(rows, SAETAP_FLOAT32, 2, of_rows);
  const saetap_call call = {sizeof call, SAETAP_EVAL, &given, &which, &seen};
  for (int row = 0; row < ROWS; ++row) {
    values[row] = 100 + row;
    features[row] = 3;
    for (int i = 0; i < WIDTH; ++i) rows[row][i] = (float)sin(row * WIDTH + i);
  }
  CHECK(tap->observe_model("model", &text, NULL, &computed) == SAETAP_OK);
  CHECK(tap->observe(site, &call) == SAETAP_OK);
}

/* ---- what is read ---- */

static int64_t place_of(const char* name) {
  int64_t count = 0;
  CHECK(tap->site_count(&count) == SAETAP_OK);
  for (int64_t place = 0; place < count; ++place) {
    saetap_site_info site = {0};
    site.struct_size = sizeof site;
    CHECK(tap->site_at(place, &site) == SAETAP_OK);
    if (strcmp(site.name, name) != 0) continue;
    CHECK(site.features == FEATURES && site.d_in == WIDTH && site.d_out == WIDTH && site.group == -1);
    return place;
  }
  CHECK(!"the site is there");
  return 0;
}

static void check_dense(int64_t place, const int64_t* tokens) {
  saetap_statistics totals[FEATURES];
  saetap_site_counts counts = {0};
  saetap_sample top[2];
  int32_t around[4];
  int64_t count = 0, at = -1;
  counts.struct_size = sizeof counts;
  CHECK(tap->site_counts(place, &counts) == SAETAP_OK);
  CHECK(counts.calls == 1 && counts.rows_seen == ROWS && counts.rows_resolved == ROWS);
  CHECK(tap->statistics(place, 0, FEATURES, totals) == SAETAP_OK);
  CHECK(totals[1].active == 4 && totals[1].eligible == ROWS && totals[1].max == 14);
  CHECK(totals[1].sum == 2 + 6 + 10 + 14 && totals[1].sum_of_squares == 4 + 36 + 100 + 196);
  CHECK(tap->top_samples(place, 1, top, 2, &count) == SAETAP_OK);
  CHECK(count == 4 && top[0].activation == 14 && top[1].activation == 10);
  CHECK(top[0].position == 13 % LENGTH && top[0].token == tokens[13]);
  CHECK(tap->sample_tokens(&top[0], 2, 1, around, &count, &at) == SAETAP_OK);
  CHECK(count == 4 && at == 2 && around[0] == tokens[11] && around[2] == tokens[13] && around[3] == tokens[14]);
}

static void check_pairs(int64_t place, const int64_t* tokens) {
  saetap_sample top[1];
  int64_t count = 0;
  CHECK(tap->top_samples(place, 3, top, 1, &count) == SAETAP_OK);
  CHECK(count == ROWS && top[0].activation == 115 && top[0].token == tokens[15]);
}

static int start(const char* callback) {
  char config[1024];
  snprintf(config, sizeof config,
           "{\"saetap\": {\"save_activation_samples\": true, \"sample_window_steps\": 0, \"callbacks\": "
           "[{\"name\": \"top_samples\"}, {\"library\": \"%s\", \"options\": {\"least\": 3}}]}}",
           callback);
  return tap->start(config);
}

int main(int argc, char** argv) {
  int64_t tokens[ROWS] = {0};
  saetap_site *dense = NULL, *again = NULL, *pairs = NULL;
  float decoder[FEATURES][WIDTH] = {{1}};
  const int64_t of_decoder[] = {FEATURES, WIDTH};
  const saetap_array directions = array(decoder, SAETAP_FLOAT32, 2, of_decoder);
  saetap_site_spec spec = {sizeof spec, "dense", FEATURES, WIDTH, WIDTH, NULL};
  void* library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (library == NULL) {
    fprintf(stderr, "client: %s\n", argc == 3 ? dlerror() : "usage: client LIBSAETAP.SO CALLBACK-LIBRARY");
    return 2;
  }
  check_exports(library);
  for (int i = 0; i < ROWS; ++i) tokens[i] = 1000 + i;
  CHECK(tap->struct_size >= sizeof(saetap_api) && tap->abi_version == 1);
  CHECK(atof(tap->libtorch_version()) >= 2 && (tap->cxx11_abi() == 0 || tap->cxx11_abi() == 1));
  CHECK(start(argv[2]) == SAETAP_OK);
  CHECK(start(argv[2]) == SAETAP_RUNNING);
  CHECK(tap->set_token_text(token_text, &texts_asked) == SAETAP_OK);
  CHECK(tap->attach(&spec, &dense) == SAETAP_OK);
  CHECK(tap->attach(&spec, &again) == SAETAP_OK && again == dense);
  spec.name = "pairs";
  spec.description = "found by their rows";
  CHECK(tap->attach(&spec, &pairs) == SAETAP_OK && pairs != dense);
  CHECK(tap->set_decoder(dense, &directions) == SAETAP_OK);
  CHECK(tap->step() == SAETAP_OK);
  give_dense(dense, tokens);
  give_pairs(pairs, tokens);
  CHECK(tap->step() == SAETAP_OK);
  check_dense(place_of("dense"), tokens);
  check_pairs(place_of("pairs"), tokens);
  int64_t dense_place = -1, pairs_place = -1;
  CHECK(tap->place_of(dense, &dense_place) == SAETAP_OK && dense_place == place_of("dense"));
  CHECK(tap->place_of(pairs, &pairs_place) == SAETAP_OK && pairs_place != dense_place);
  CHECK(tap->checkpoint() == SAETAP_OK);
  CHECK(tap->stop() == SAETAP_OK);
  CHECK(texts_asked >= ROWS);
  CHECK(tap->stop() == SAETAP_NOT_RUNNING && tap->last_error()[0] != '\0');
  CHECK(tap->set_decoder(dense, &directions) == SAETAP_NOT_RUNNING);
  if (failures == 0) puts("client: all as it should be");
  return failures != 0;
}
