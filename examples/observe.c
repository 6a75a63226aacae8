/* A program without LibTorch that records its features through the C interface (C99).
 *
 *   observe TEXT-FILE [LIBSAETAP.SO]      afterwards: saetap features activation_samples
 *
 * The features are the 26 letters. What one's activation says is how lately the letter was read: 1 at its byte, half as
 * much a byte later, and so on, added up over a sequence. Tokens are bytes. */
#include <dlfcn.h>
#include <saetap/saetap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEATURES = 26, LENGTH = 64, BYTES = 256 };

static const saetap_api* tap;

/* Whatever saetap says, a trainer could go on. This program has nothing else to do. */
static void check(int status) {
  if (status == SAETAP_OK) return;
  fprintf(stderr, "observe: %s\n", tap->last_error());
  exit(1);
}

static void load(const char* library) {
  void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  const saetap_api* (*get_api)(uint32_t) = NULL;
  if (handle != NULL) *(void**)&get_api = dlsym(handle, "saetap_get_api");
  if (get_api != NULL) tap = get_api(SAETAP_ABI_VERSION);
  if (tap != NULL) return;
  fprintf(stderr, "observe: %s is not there, or has no ABI %d: %s\n", library, SAETAP_ABI_VERSION,
          handle != NULL ? "another version" : dlerror());
  exit(1);
}

static int64_t byte_text(int32_t token, char* text, int64_t size, void* user) {
  (void)user;
  if (size > 0) text[0] = (char)token;
  return 1;
}

static void encode(const unsigned char* bytes, float activations[LENGTH][FEATURES]) {
  for (int row = 0; row < LENGTH; ++row) {
    for (int letter = 0; letter < FEATURES; ++letter) {
      const float before = row > 0 ? activations[row - 1][letter] : 0;
      activations[row][letter] = before / 2 + (bytes[row] == 'a' + letter ? 1 : 0);
    }
  }
}

/* One sequence: which tokens, and what the features were at each. */
static void observe(saetap_site* site, const unsigned char* bytes) {
  int64_t tokens[LENGTH];
  float activations[LENGTH][FEATURES];
  const int64_t shape[] = {LENGTH, FEATURES};
  const saetap_array given = {activations, SAETAP_FLOAT32, 2, shape, NULL};
  const saetap_call call = {sizeof call, SAETAP_TRAIN, &given, NULL, NULL};
  for (int row = 0; row < LENGTH; ++row) tokens[row] = bytes[row];
  encode(bytes, activations);
  check(tap->set_tokens(tokens, 1, LENGTH, NULL, NULL, 0));
  check(tap->observe(site, &call));
}

/* The letter, how many of the bytes it was active at, and the places where it was strongest. */
static void show(int letter, const saetap_statistics* totals) {
  saetap_sample top[3];
  int64_t count = 0;
  printf("%c  %llu of %llu", 'a' + letter, (unsigned long long)totals->active, (unsigned long long)totals->eligible);
  check(tap->top_samples(0, letter, top, 3, &count));
  for (int64_t i = 0; i < count && i < 3; ++i) {
    int32_t tokens[LENGTH];
    int64_t around = 0, at = 0;
    check(tap->sample_tokens(&top[i], 8, 0, tokens, &around, &at));
    printf("  %.4f \"", top[i].activation);
    for (int64_t j = 0; j < around; ++j) putchar(tokens[j] == '\n' ? ' ' : tokens[j]);
    putchar('"');
  }
  putchar('\n');
}

int main(int argc, char** argv) {
  unsigned char bytes[LENGTH];
  saetap_statistics totals[FEATURES];
  saetap_site* site = NULL;
  const saetap_site_spec letters = {sizeof letters, "letters", FEATURES,
                                    BYTES,          BYTES,     "how lately each letter was read"};
  FILE* text = argc > 1 ? fopen(argv[1], "rb") : NULL;
  if (text == NULL) {
    fprintf(stderr, "observe: usage: observe TEXT-FILE [LIBSAETAP.SO]\n");
    return 2;
  }
  load(argc > 2 ? argv[2] : "libsaetap.so");
  check(tap->start("{\"saetap\": {\"save_activation_samples\": true, \"sample_window_steps\": 0}}"));
  check(tap->set_token_text(byte_text, NULL));
  check(tap->attach(&letters, &site));
  while (fread(bytes, 1, LENGTH, text) == LENGTH) observe(site, bytes);
  fclose(text);
  check(tap->statistics(0, 0, FEATURES, totals));
  for (int letter = 0; letter < FEATURES; ++letter) show(letter, &totals[letter]);
  check(tap->stop());
  return 0;
}
