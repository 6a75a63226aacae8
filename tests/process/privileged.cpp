// A program that may run with more rights than who starts it, linked with everything of ours. Says whether anything was
// started, and which of the variables are still there.
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

#include "plugin/saetap.h"

int main() {
  std::printf("stop %d\n", saetap_stop());
  for (const char* name : {"SAETAP_PLUGIN", "SAETAP_CONFIG", "SAETAP_RECORD"}) {
    std::printf("%s %s\n", name, std::getenv(name) != nullptr ? "there" : "gone");
  }
}
