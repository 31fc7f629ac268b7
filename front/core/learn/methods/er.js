// Experience Replay: each batch is joined by as many stored examples. The memory is a reservoir, a uniform
// sample of all that came by (Chaudhry et al. 2019; Vitter 1985).

import { sample } from "../random.js";
import { None } from "./none.js";

export class ER extends None {
  constructor({ memory, random }) {
    super();
    Object.assign(this, { memory, random, stored: [], seen: 0, ended: 0 });
  }

  loss(net, batch, g) {
    this.batch = batch;
    // In the first task the memory has no old examples yet.
    return net.loss(this.ended ? [...batch, ...sample(this.stored, batch.length, this.random)] : batch, g);
  }

  afterStep() {
    this.stored.length = Math.min(this.stored.length, this.memory); // it may have been made smaller
    for (const example of this.batch) {
      const u = this.random(), free = this.stored.length < this.memory;
      const slot = free ? this.stored.length : Math.floor(u * (this.seen + 1));
      if (slot < this.memory) this.stored[slot] = example;
      this.seen++;
    }
  }

  endTask() { this.ended++; }
}
