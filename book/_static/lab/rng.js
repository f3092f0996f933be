"use strict";
// The random numbers of torch's CPU generator: a seed gives the same torch.rand here as in Python.
{
  const lab = (globalThis.PixelLab ??= {});
  const LENGTH = 624; // words of state
  const AHEAD = 397;
  const LEAST_SEED = -(2n ** 63n);
  const SEEDS = 2n ** 64n;

  /**
   * MT19937 (Matsumoto and Nishimura, Mersenne Twister, 1998), seeded as torch.Generator does it.
   */
  class Generator {
    /** @param {number|bigint} seed - an integer, -2^63 to 2^64 - 1; its low 32 bits count */
    constructor(seed = 0) {
      this.state = new Uint32Array(LENGTH);
      this.state[0] = lowBits(seed);
      for (let i = 1; i < LENGTH; i++) {
        const before = this.state[i - 1];
        this.state[i] = Math.imul(before ^ (before >>> 30), 1812433253) + i;
      }
      this.place = LENGTH;
    }

    /** @returns {number} the next 32-bit integer */
    nextInteger() {
      if (this.place === LENGTH) this.renew();
      let bits = this.state[this.place++];
      bits ^= bits >>> 11;
      bits ^= (bits << 7) & 0x9d2c5680;
      bits ^= (bits << 15) & 0xefc60000;
      return (bits ^ (bits >>> 18)) >>> 0;
    }

    /** @returns {number} the next number of torch.rand (float32), 0 to below 1 */
    uniform() {
      return (this.nextInteger() & 0xffffff) / 0x1000000;
    }

    /**
     * @param {number} count - how many
     * @returns {Float32Array} (count,) the next numbers of torch.rand
     */
    uniforms(count) {
      return Float32Array.from({ length: count }, () => this.uniform());
    }

    /** Computes the next words of the state, all at once. */
    renew() {
      const { state } = this;
      for (let i = 0; i < LENGTH; i++) {
        const bits = (state[i] & 0x80000000) | (state[(i + 1) % LENGTH] & 0x7fffffff);
        const twist = bits & 1 ? 0x9908b0df : 0;
        state[i] = state[(i + AHEAD) % LENGTH] ^ (bits >>> 1) ^ twist;
      }
      this.place = 0;
    }
  }

  /**
   * @param {number|bigint} seed - an integer
   * @returns {number} its low 32 bits, those of 2^64 + seed if it is negative
   */
  function lowBits(seed) {
    if (typeof seed !== "bigint" && !Number.isSafeInteger(seed)) {
      throw new TypeError(`the seed is ${seed}; it must be an integer (a BigInt beyond 2^53).`);
    }
    const integer = BigInt(seed);
    if (integer < LEAST_SEED || integer >= SEEDS) {
      throw new RangeError(`the seed is ${seed}; it must be -2^63 to 2^64 - 1, as for torch.`);
    }
    return Number(BigInt.asUintN(32, integer));
  }

  lab.Generator = Generator;
}
