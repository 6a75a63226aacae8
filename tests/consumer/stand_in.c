/* A library that answers as some other libsaetap.so would: the environment variable STAND_IN says which. */
#include <saetap/saetap.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static int is(const char* kind) {
  const char* chosen = getenv("STAND_IN");
  return chosen != NULL && strcmp(chosen, kind) == 0;
}

static const char* version(void) {
  return "0.0.7";
}
static const char* libtorch_version(void) {
  return "1.13.1";
}
static int32_t cxx11_abi(void) {
  return 0;
}
static const char* last_error(void) {
  return "the stand-in refuses";
}
static int refuse(void) {
  return SAETAP_FAILED;
}
static int agree(void) {
  return SAETAP_OK;
}

SAETAP_EXPORT const char* saetap_last_error(void) {
  return "this libsaetap.so (0.0.7) has ABI version 7, version 1 was asked for";
}

SAETAP_EXPORT const saetap_api* saetap_get_api(uint32_t abi_version) {
  static saetap_api table;
  if (is("no such version")) return NULL;
  memset(&table, 0, sizeof table);
  table.struct_size = is("short") ? offsetof(saetap_api, step) : sizeof table;
  table.abi_version = is("another version") ? abi_version + 1 : abi_version;
  table.version = version;
  table.libtorch_version = libtorch_version;
  table.cxx11_abi = cxx11_abi;
  table.last_error = last_error;
  table.stop = refuse;
  table.checkpoint = agree;
  table.step = agree;
  return &table;
}
