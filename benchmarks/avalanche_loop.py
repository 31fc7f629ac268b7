"""What Avalanche takes for the same training; run by bench.py with Avalanche's own environment.

    python benchmarks/avalanche_loop.py DATA N_TASKS EPOCHS BATCH_SIZE STRATEGY

prints seconds of training, accuracy on each task at the end and versions, as JSON. Permuted MNIST,
the model of `cl_helpers.MLP`, Adam, one Ω a parameter summed over tasks.
"""

import json
import sys
import time
from itertools import pairwise

import avalanche
import torch
from avalanche.benchmarks.classic import PermutedMNIST
from avalanche.training.supervised import EWC, MAS, Naive, SynapticIntelligence
from torch import nn

SIZES = (784, 1024, 512, 256, 10)


def main(data: str, n_tasks: int, epochs: int, batch_size: int, strategy: str) -> None:
    torch.manual_seed(0)
    layers = [nn.Flatten()]
    for n_in, n_out in pairwise(SIZES):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    how = {
        "model": model,
        "optimizer": torch.optim.Adam(model.parameters(), lr=1e-4),
        "criterion": nn.CrossEntropyLoss(),
        "train_mb_size": batch_size,
        "train_epochs": epochs,
        "eval_mb_size": 1000,
        "evaluator": None,
        "device": torch.device("cpu"),
    }
    make, knobs = {
        "naive": (Naive, {}),
        "ewc": (EWC, {"ewc_lambda": 400.0, "mode": "online", "decay_factor": 1.0}),
        "si": (SynapticIntelligence, {"si_lambda": 0.4, "eps": 1e-3}),
        "mas": (MAS, {"lambda_reg": 0.02}),
    }[strategy]
    learner = make(**how, **knobs)
    stream = PermutedMNIST(n_experiences=n_tasks, seed=0, dataset_root=data)
    seconds = 0.0
    for task in stream.train_stream:
        began = time.perf_counter()
        learner.train(task)
        seconds += time.perf_counter() - began
    model.eval()
    accuracy = []
    for task in stream.test_stream:
        right = 0
        for x, y, *_ in torch.utils.data.DataLoader(task.dataset, batch_size=1000):
            right += (model(x).argmax(1) == y).sum().item()
        accuracy.append(right / len(task.dataset))
    versions = {"avalanche": avalanche.__version__, "torch": torch.__version__}
    print(json.dumps({"seconds": seconds, "accuracy": accuracy} | versions))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5])
