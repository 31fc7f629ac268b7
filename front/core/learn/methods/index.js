import { ER } from "./er.js";
import { EWC } from "./ewc.js";
import { L2 } from "./l2.js";
import { MAS } from "./mas.js";
import { None } from "./none.js";
import { SI } from "./si.js";

/** By name: new METHODS.ewc({ lam }), new METHODS.er({ memory, random }). */
export const METHODS = { none: None, l2: L2, ewc: EWC, mas: MAS, si: SI, er: ER };
