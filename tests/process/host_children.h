// Other processes, started in the ways programs start them.
#pragma once

#include <string>

#include "host_training.h"

// Thrown in a child that is to return from main(): with this status.
struct ChildReturns {
  int status;
};

// `what`: kind:count[:end], "" for none. Kinds: "fork", whose children call the module, allocate, and end by return,
// exit, _exit or quick_exit ("exit"); "bare" the same by the system call itself, which tells no library; "exec",
// "spawn", "vfork" and "system" run another program; "workers", four at a time, answer through pipes what they are
// asked. Prints how many ended as they should; a child that does not end in half a minute is killed and counts as hung.
void run_children(const std::string& what, Training& training);
