// Trains a TorchScript transcoder from an MLP's input to its output: train_transcoder CONFIG.json [key=value ...]
#include "training.h"

int main(int argc, char** argv) {
  return run_trainer("train_transcoder", [&] {
    const TrainingConfig config = read_config(argc, argv);
    ActivationsStore activations(config.activations);
    Trainer trainer(config);
    for (std::int64_t step = 0; step < config.steps; ++step) {
      const ActivationsBatch batch = activations.get_batch_with_tokens();
      trainer.step(batch.input, batch.target);
    }
    trainer.finish();
  });
}
