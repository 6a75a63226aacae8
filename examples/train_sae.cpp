// Trains a TorchScript sparse autoencoder on a language model's activations: train_sae CONFIG.json [key=value ...]
#include "training.h"

int main(int argc, char** argv) {
  return run_trainer("train_sae", [&] {
    const TrainingConfig config = read_config(argc, argv);
    ActivationsStore activations(config.activations);
    Trainer trainer(config);
    for (std::int64_t step = 0; step < config.steps; ++step) {
      const at::Tensor x = activations.get_batch();
      trainer.step(x, x);
    }
    trainer.finish();
  });
}
