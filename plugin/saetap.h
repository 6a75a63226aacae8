/* The C interface of libsaetap.so, for programs that load it themselves, for callbacks in libraries of their own, and
 * for other languages.
 *
 * Loading the library with dlopen() is enough if the environment variable SAETAP_CONFIG names a JSON config file. A
 * trainer with a plugin loader of its own calls saetap_plugin_init with its config instead. Whoever wants more asks
 * saetap_get_api for the table of functions, which holds those declared here and all others.
 *
 * No function throws. All may be called from any thread unless it says otherwise. Nothing of C++ crosses this boundary.
 * Whatever is given to a function need only live as long as the call. Structures and the table grow at their ends only:
 * `struct_size` tells how much of one its maker knew, so that programs built with an older header go on working. */
#ifndef SAETAP_H
#define SAETAP_H

#include <stdint.h>

#if defined(__GNUC__)
#define SAETAP_EXPORT __attribute__((visibility("default")))
#else
#define SAETAP_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Of the table and the structures below. It changes only if what older programs were built with would break. */
#define SAETAP_ABI_VERSION 1

/* Status of every call: 0 is success. saetap_last_error() says the rest. */
enum saetap_status {
  SAETAP_OK = 0,
  SAETAP_OFF = 1,        /* the config does not ask for collection: nothing was started, nothing costs anything */
  SAETAP_BAD_CONFIG = 2, /* a key or value is wrong; nothing was started */
  SAETAP_RUNNING = 3,    /* already started in this process */
  SAETAP_NOT_RUNNING = 4,
  SAETAP_FAILED = 5 /* something else; see saetap_last_error() */
};

/* ---- starting and ending ---- */

/* Starts recording. `config_json`: the text of a JSON object, a trainer's own config or {"saetap": {...}}. */
SAETAP_EXPORT int saetap_plugin_init(const char* config_json);

/* Says which tokens the rows of the SAE's next call are, for programs whose rows cannot be found by themselves.
 *
 * `tokens`: [batch, length] row by row, the text as the language model was given it; copied. `mask`: [batch, length],
 * 0 for tokens that do not count (padding), or NULL. Row i of the call is token i; with `rows` not NULL it is token
 * rows[i] of the `row_count` given, -1 for a row without a token.
 * It holds for the next call, of each site, that has so many rows, and for repeats of that very call; other calls find
 * their tokens as they do without it. */
SAETAP_EXPORT int saetap_set_tokens(const int64_t* tokens, int64_t batch, int64_t length, const uint8_t* mask,
                                    const int64_t* rows, int64_t row_count);

/* Writes the text of a token into `text`, at most `size` bytes, and returns its whole length in bytes; -1 if it is not
 * known. The bytes need not be whole characters. If it is longer than `size` it is asked again with room enough. */
typedef int64_t (*saetap_token_text)(int32_t id, char* text, int64_t size, void* user);

/* Gives the text of tokens, for programs with a tokenizer of their own: the store then holds it, and everything that is
 * shown of it is read with it. Tokens whose text is not known are shown with the configured tokenizer (the key
 * tokenizer), and without one as ids. Called while a checkpoint is saved, on a thread of saetap's own, for each token
 * once; it must not call back into saetap, and not throw. `user` is passed on. NULL takes it back,
 * with `user` not NULL only if it is the one that was given with it; so does another. When this returns, the one before
 * is not called any more. Nor is it once the program exits, for what it needs may be gone:
 * call saetap_stop before, so that no token lacks its text. */
SAETAP_EXPORT int saetap_set_token_text(saetap_token_text text, void* user);

/* Saves what was collected so far. The file on disk is whole at every moment. */
SAETAP_EXPORT int saetap_checkpoint(void);

/* Ends recording: saves, says what was done, gives every module its own executor back. Happens by itself at exit. */
SAETAP_EXPORT int saetap_stop(void);

/* Why the latest call on this thread did not return SAETAP_OK; "" if it did. Valid until the next call on this thread.
 */
SAETAP_EXPORT const char* saetap_last_error(void);

/* "0.1.0" */
SAETAP_EXPORT const char* saetap_version(void);

/* ---- what is given ---- */

enum saetap_type {
  SAETAP_FLOAT32 = 0,
  SAETAP_FLOAT64 = 1,
  SAETAP_BFLOAT16 = 2,
  SAETAP_FLOAT16 = 3,
  SAETAP_INT32 = 4,
  SAETAP_INT64 = 5,
  SAETAP_UINT8 = 6 /* or a bool */
};

/* Numbers in the program's own memory, on the host. (Tensors on an accelerator: torch.ops.saetap, from Python.) */
typedef struct saetap_array {
  const void* data;
  int32_t type;           /* enum saetap_type */
  int32_t dims;           /* at most 8 */
  const int64_t* shape;   /* [dims] */
  const int64_t* strides; /* [dims], in elements; NULL: one row after the other, without gaps */
} saetap_array;

/* A place where feature activations enter a decoder, of a program without TorchScript. */
typedef struct saetap_site_spec {
  uint32_t struct_size;    /* sizeof(saetap_site_spec) */
  const char* name;        /* the site's name in the store; the same in every run of the same SAE */
  int64_t features;        /* F, at most 2^26 */
  int64_t d_in;            /* width of a row given to the encoder */
  int64_t d_out;           /* width of what the decoder gives */
  const char* description; /* one line for people, or NULL */
} saetap_site_spec;

/* One that was attached. Stays valid for the life of the process; after saetap_stop it answers SAETAP_NOT_RUNNING. */
typedef struct saetap_site saetap_site;

enum saetap_phase { SAETAP_TRAIN = 0, SAETAP_EVAL = 1 };

/* One pass of a batch through a site. */
typedef struct saetap_call {
  uint32_t struct_size; /* sizeof(saetap_call) */
  int32_t phase; /* enum saetap_phase. Each SAETAP_TRAIN call is a step, unless the program tells steps: step() */
  const saetap_array* activations; /* [rows, F], or with `indices` [rows, k]: floating; [.., F] and [.., k] also */
  const saetap_array* indices;     /* NULL, or [rows, k]: which feature each value is of, each once in a row */
  const saetap_array* rows;        /* NULL, or [rows, d_in]: what the encoder was given; finds the rows' tokens */
} saetap_call;

/* ---- what is read ---- */

/* Strings that were read stay valid for the life of the process. */
typedef struct saetap_site_info {
  uint32_t struct_size; /* set it to sizeof(saetap_site_info) before site_at(): then it says how much was filled in */
  int32_t id;           /* the site's number in the store */
  const char* name;
  const char* module_type; /* of a TorchScript module; of a site attached by the program its name */
  const char* path;        /* of the SAE inside that module */
  const char* method;
  const char* description;
  int64_t features;
  int64_t d_in;
  int64_t d_out;
  int64_t group; /* which layer of a stack; -1: no stack */
} saetap_site_info;

/* What was seen of a site so far: rows and calls since the run began. */
typedef struct saetap_site_counts {
  uint32_t struct_size; /* set it to sizeof(saetap_site_counts) before site_counts() */
  uint64_t steps;
  uint64_t steps_collected;
  uint64_t calls;
  uint64_t rows_seen;
  uint64_t rows_collected;
  uint64_t rows_excluded;  /* of the collected: ignored ids and positions */
  uint64_t rows_resolved;  /* of the collected: brought back to their token */
  uint64_t rows_ambiguous; /* of the collected: several tokens could be it, and none was taken */
} saetap_site_counts;

/* This and the next are given as arrays, and so never grow.
 * Totals of one feature over the window that is open. Moments are of the active values alone (finite and not 0). */
typedef struct saetap_statistics {
  uint64_t active;
  double sum;
  double sum_of_squares;
  float max; /* the value of the largest magnitude, with its sign */
  uint64_t nonfinite;
  uint64_t negative;   /* of the active */
  uint64_t eligible;   /* rows counted: active / eligible is the density */
  uint64_t first_step; /* of the window */
  uint64_t last_step;
} saetap_statistics;

/* A place in the text and the activation there. */
typedef struct saetap_sample {
  uint64_t sequence; /* a hash of the sequence's tokens; without the highest bit they are not known */
  uint32_t position; /* in it */
  uint32_t step;
  float activation;
  int32_t token; /* -1: not known */
} saetap_sample;

/* ---- callbacks of one's own: a library named in the config key `callbacks` ---- */

typedef struct saetap_place {
  uint64_t sequence;
  uint32_t position;
} saetap_place;

/* What one feature did over the rows of one batch that count. */
typedef struct saetap_sums {
  double sum;
  double sum_of_squares;
  float max;
  uint32_t active;
  uint32_t nonfinite;
  uint32_t negative;
} saetap_sums;

typedef struct saetap_candidate {
  uint32_t row;
  uint32_t feature;
  float activation;
} saetap_candidate;

typedef struct saetap_candidates {
  const saetap_candidate* items; /* one feature's in the order of the rows, features in no order */
  int64_t count;
} saetap_candidates;

/* One collected call of a site. All of it is valid during the call only. */
typedef struct saetap_batch {
  uint32_t struct_size;
  int32_t phase; /* enum saetap_phase */
  const saetap_site_info* site;
  uint64_t step;
  int64_t rows;
  int64_t eligible;               /* rows that count; the density's denominator */
  const saetap_place* places;     /* [rows] */
  const saetap_sums* sums;        /* [F] */
  const saetap_candidates* found; /* [found_count]: activations that reach the bars of some callback, not only yours */
  int64_t found_count;
  /* The tokens of a sequence that a candidate lies in: their count, and where they are; 0 where they are not known. */
  int64_t (*tokens)(const struct saetap_batch* batch, uint64_t sequence, const int32_t** tokens);
} saetap_batch;

typedef struct saetap_step {
  uint32_t struct_size;
  int32_t collected; /* 0: sample_collection_freq passed it over */
  const saetap_site_info* site;
  uint64_t step;
} saetap_step;

/* Functions of a callback; those that are NULL are not called. They are called one at a time, in the order of what they
 * tell of, on a thread of saetap's own, while the trainer goes on. They must not call the hooked module, and not throw.
 * The first that returns other than 0 switches the callback off, with one log line: the others and the trainer go on.
 * (It is still asked to save what it kept.) */
typedef struct saetap_callback {
  uint32_t struct_size; /* as saetap knows it: do not write behind */
  void* self;           /* given to each */
  /* A site was found; before any other event of it. `site` and its strings stay valid until on_finish. */
  int (*on_attach)(void* self, const saetap_site_info* site);
  /* Which activations it wants to see in `found`: those of at least bars[f] in magnitude, of [F], infinite before.
   * Asked after on_attach and after each on_batch, with the step of the batch. It must never want more than it did when
   * the site was attached. */
  int (*bars)(void* self, const saetap_site_info* site, uint64_t step, float* bars);
  /* One collected call of a site: what became of each feature, and the activations that somebody wanted. */
  int (*on_batch)(void* self, const saetap_batch* batch);
  /* A step of a site is over, collected or not. */
  int (*on_step)(void* self, const saetap_step* step);
  /* What is worth keeping is to be written down. `last`: 1 at the end of the run. */
  int (*on_checkpoint)(void* self, int last);
  int (*on_finish)(void* self); /* the last event */
  /* Why the latest function failed, or NULL. */
  const char* (*failure)(void* self);
  /* After the last event, also of one that was switched off. */
  void (*close)(void* self);
} saetap_callback;

struct saetap_api;

/* What a callback's library defines and exports: fills in `callback`, which is all 0 but for struct_size. `api`: the
 * table, for the life of the process. `options_json`: the text of the object "options" in the config, "{}" without one.
 * Returns 0; or anything else, and why it was not to be in callback->failure, if that can say it. */
SAETAP_EXPORT int saetap_callback_open(const struct saetap_api* api, const char* options_json,
                                       saetap_callback* callback);

/* ---- the table ---- */

typedef struct saetap_api {
  uint32_t struct_size; /* of the table, as the library knows it: an entry at or behind it is not there */
  uint32_t abi_version; /* SAETAP_ABI_VERSION of the library */

  const char* (*version)(void);
  /* The LibTorch that the library was built with, "2.13.0", and its _GLIBCXX_USE_CXX11_ABI, 0 or 1. */
  const char* (*libtorch_version)(void);
  int32_t (*cxx11_abi)(void);
  const char* (*last_error)(void);

  int (*start)(const char* config_json); /* saetap_plugin_init */
  int (*checkpoint)(void);
  int (*stop)(void);
  int (*set_tokens)(const int64_t* tokens, int64_t batch, int64_t length, const uint8_t* mask, const int64_t* rows,
                    int64_t row_count);
  int (*set_token_text)(saetap_token_text text, void* user);

  /* Declares a site. The same name again gives the same site; with other sizes it is refused. */
  int (*attach)(const saetap_site_spec* spec, saetap_site** site);
  /* The decoder's directions as they are now, [F, d_out] floating; copied, in half precision. What was set last before
   * the latest batch is saved at the next checkpoint. With the key activation_scale "decoder_norm" it has to be set
   * before the first batch. */
  int (*set_decoder)(saetap_site* site, const saetap_array* directions);
  /* Takes note of one batch. Costs what a hooked call costs; nothing of it is kept by reference. A batch that cannot be
   * read (shape, type, an index out of range or twice in a row) is refused, and the site goes on. */
  int (*observe)(saetap_site* site, const saetap_call* call);
  /* What a language model computed from its tokens, so that rows are found again however they are buffered and
   * shuffled. `model`: its name. `tokens`: [batch, length] integers. `mask`: [batch, length], 0 for what does not
   * count, or NULL. `rows`: [batch, length, d] or [batch · length, d], floating. */
  int (*observe_model)(const char* model, const saetap_array* tokens, const saetap_array* mask,
                       const saetap_array* rows);
  /* Ends a step of each site that had a batch in it: from now on the program tells where a step ends, and calls do not
   * (for gradients that are summed over several calls, or where nothing is trained). Call it before the first batch,
   * too, or each call of the first step counts as one. Every batch between two of these, SAETAP_EVAL ones also, is of
   * one step. */
  int (*step)(void);

  /* How many sites there are, those hooked in TorchScript modules included: each from its first batch on. `place`: in
   * the order of their ids. What is read from here on may also be read from a callback of one's own, but for
   * site_counts and place_of; whatever else there is in this table is refused there. */
  int (*site_count)(int64_t* count);
  int (*site_at)(int64_t place, saetap_site_info* site);
  int (*site_counts)(int64_t place, saetap_site_counts* counts);
  /* Of the features first..first + count - 1 of a site: everything up to the latest call is in it. Waits for the
   * collector, some milliseconds. Earlier windows are in the store. */
  int (*statistics)(int64_t place, int64_t first, int64_t count, saetap_statistics* statistics);
  /* The strongest samples of a feature in the open window, strongest first: at most `room` are written, `count` says
   * how many there are. */
  int (*top_samples)(int64_t place, int64_t feature, saetap_sample* samples, int64_t room, int64_t* count);
  /* The tokens around a kept sample: at most `before` ahead of it and `after` behind. `tokens`: room for
   * before + 1 + after. `count`: how many were written; `at`: which of them is the sample's. */
  int (*sample_tokens)(const saetap_sample* sample, int64_t before, int64_t after, int32_t* tokens, int64_t* count,
                       int64_t* at);
  /* Where a site that was attached stands among all; it is refused before its first batch. Others may move it. */
  int (*place_of)(saetap_site* site, int64_t* place);
} saetap_api;

/* The table of functions, for the life of the process. `abi_version`: SAETAP_ABI_VERSION as the program was built with;
 * NULL if this library has no such table: saetap_last_error() names both versions. */
SAETAP_EXPORT const saetap_api* saetap_get_api(uint32_t abi_version);

#ifdef __cplusplus
}
#endif

#endif
