"""One rank of a DistributedDataParallel training of an eager SAE, under torchrun: rank_trainer.py FOLDER"""
import sys

import torch
import torch.distributed as dist
from small_modules import D, LanguageModel, NamedSae
from torch.nn.parallel import DistributedDataParallel

import saetap

STEPS, TEXTS, LENGTH = 6, 4, 10


def main() -> None:
    folder = sys.argv[1]
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    lm, sae = LanguageModel().eval(), NamedSae()
    trained = DistributedDataParallel(sae)
    saetap.start(output_dir=f"{folder}/samples", tokens={"ignore_token_ids": []}, sample_window_steps=0, max_samples_per_feature=5)
    saetap.attach(trained, lm=lm, at="blocks.2")
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.05)
    codes, texts = [], []
    for step in range(STEPS):
        ids = torch.randint(0, 300, (TEXTS, LENGTH), generator=torch.Generator().manual_seed(100 * step + rank))
        ids[:, 0] = torch.arange(TEXTS) + TEXTS * (step * ranks + rank)  # no two texts begin alike
        with torch.no_grad():
            x = lm(ids, output_hidden_states=True)["hidden_states"][3].reshape(-1, D)
            codes.append((x @ sae.W_enc + sae.b_enc).relu().reshape(TEXTS, LENGTH, -1))
        texts.append(ids)
        order = torch.randperm(len(x))
        loss = (trained(x[order]) - x[order]).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save((torch.cat(texts), torch.cat(codes)), f"{folder}/seen{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


main()
