// A trainer that is a library: with it LibTorch comes into a program that is not linked with it.
#include <chrono>
#include <cstdio>
#include <thread>

#include "host_training.h"

extern "C" __attribute__((visibility("default"))) void train(int steps, int pause) {
  Training training(64);
  for (int step = 0; step < steps; ++step) {
    training.step(step);
    std::this_thread::sleep_for(std::chrono::milliseconds(pause));
  }
  std::printf("state %s\n", training.state().c_str());
}
