"""One rank of a DistributedDataParallel training of a script module, under torchrun.

    torchrun --nproc-per-node 4 ddp_trainer.py PLUGIN CONFIG MODULE MODEL TOKENS STEPS FOLDER [RANK_THAT_DIES]

PLUGIN is loaded into the running Python and told its config, as a trainer with plugins does. Writes what train_ranks.cpp
writes.
"""

import array
import ctypes
import os
import pathlib
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

LENGTH, ROWS_OF_TEXT = 128, 4


def bytes_of(tensor: torch.Tensor) -> bytes:
    return ctypes.string_at(tensor.data_ptr(), tensor.nbytes)


def main() -> None:
    plugin, config, module, model, tokens, steps, folder = sys.argv[1:8]
    dies = int(sys.argv[8]) if len(sys.argv) > 8 else -1
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    library = ctypes.CDLL(plugin)
    if library.saetap_plugin_init(pathlib.Path(config).read_bytes()) != 0:
        library.saetap_last_error.restype = ctypes.c_char_p
        raise SystemExit(library.saetap_last_error().decode())
    sae = torch.jit.load(module)
    language_model = torch.jit.load(model)
    # Python's first call of a script method chooses its code before anybody sees the call.
    with torch.no_grad():
        sae(torch.zeros(1, 384))
        language_model(torch.zeros(1, LENGTH, dtype=torch.long))
    ids = torch.tensor(array.array("i", pathlib.Path(tokens).read_bytes())).reshape(-1, LENGTH).long()
    trained = DistributedDataParallel(sae)
    optimizer = torch.optim.SGD(trained.parameters(), lr=1e-3)
    # Unbuffered: what a killed rank wrote is there.
    rows_file = open(f"{folder}/rows{rank}.bin", "ab", buffering=0)
    features_file = open(f"{folder}/features{rank}.bin", "ab", buffering=0)
    for step in range(int(steps)):
        if rank == dies and step == int(steps) // 2:
            dist.barrier()
            os._exit(7)
        if dies >= 0 and step == int(steps) // 2:
            library.saetap_checkpoint()
            dist.barrier()
        first = step * (ranks + 1) * ROWS_OF_TEXT // 2 + rank * ROWS_OF_TEXT // 2
        rows = torch.arange(first, first + ROWS_OF_TEXT)
        with torch.no_grad():
            hidden = language_model(ids[rows])[0]
        inputs = hidden.reshape(-1, hidden.shape[2])
        output, features = trained(inputs)[:2]
        optimizer.zero_grad()
        ((output - inputs).pow(2).mean() + 1e-4 * features.abs().mean()).backward()
        optimizer.step()
        rows_file.write(bytes_of(rows))
        features_file.write(bytes_of(features.detach().contiguous()))
    rows_file.close()
    features_file.close()
    dist.barrier()
    dist.destroy_process_group()


main()
