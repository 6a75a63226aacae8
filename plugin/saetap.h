/* The C interface of libsaetap.so, for programs that load it themselves.
 *
 * Loading the library with dlopen() is enough if the environment variable SAETAP_CONFIG names a JSON config file; a
 * trainer with a plugin loader of its own calls saetap_plugin_init with its config instead. No function throws; all may
 * be called from any thread. Nothing of C++ crosses this boundary. */
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

/* Status of every call: 0 is success. saetap_last_error() says the rest. */
enum saetap_status {
  SAETAP_OK = 0,
  SAETAP_OFF = 1,        /* the config does not ask for collection: nothing was started, nothing costs anything */
  SAETAP_BAD_CONFIG = 2, /* a key or value is wrong; nothing was started */
  SAETAP_RUNNING = 3,    /* already started in this process */
  SAETAP_NOT_RUNNING = 4,
  SAETAP_FAILED = 5 /* something else; see saetap_last_error() */
};

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
 * once; it must not call back into saetap, and not throw. `user` is passed on. NULL, or another, takes it back: when
 * this returns, the one before is not called any more. Nor is it once the program exits, for what it needs may be gone:
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

#ifdef __cplusplus
}
#endif

#endif
