// Holds nothing. What a method does, it does at these hooks, in this order.

export class None {
  beginTask(net) {}

  /** The loss of a batch [[x, y], …] in nats; its gradient goes into g. */
  loss(net, batch, g) { return net.loss(batch, g); }

  /** Add to the gradient of the task's loss. */
  afterBackward(net, g) {}

  afterStep(net) {}

  endTask(net, examples) {}
}
