"""PyTorch's Adam and SGD, without the seconds that the first optimiser of a process takes."""

from inspect import unwrap

import torch


class _Uncompiled(torch.optim.Optimizer):
    """An optimiser that nobody compiles.

    PyTorch decorates these methods, and `step`, for `torch.compile`; the decorators import
    `torch._dynamo` when they are first called.
    """

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)


class Adam(_Uncompiled, torch.optim.Adam):
    """`torch.optim.Adam`."""

    step = torch.no_grad()(unwrap(torch.optim.Adam.step))


class SGD(_Uncompiled, torch.optim.SGD):
    """`torch.optim.SGD`."""

    step = torch.no_grad()(unwrap(torch.optim.SGD.step))
