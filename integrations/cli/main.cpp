// saetap: starts recorded runs and reads what they kept.
#include "integrations/cli/program.h"

int main(int argc, char** argv) {
  return saetap::cli::run_program(argc, argv);
}
