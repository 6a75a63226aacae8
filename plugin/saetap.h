/* The C interface of libsaetap.so, for programs that load it themselves.
 *
 * Loading the library with dlopen() is enough if the environment variable SAETAP_CONFIG names a JSON config file; a
 * trainer with a plugin loader of its own calls saetap_plugin_init with its config instead. No function throws; all may
 * be called from any thread. Nothing of C++ crosses this boundary. */
#ifndef SAETAP_H
#define SAETAP_H

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
