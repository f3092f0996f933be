"use strict";
// A PixelCNN that goes through an image pixel by pixel, and keeps what its layers found.
{
  const lab = (globalThis.PixelLab ??= {});

  /**
   * Predicts the pixels of an image. A row of the vertical stack and a place of the horizontal one
   * are computed once, for as long as the tokens that they read stay the same; so blank rows at the
   * top, for one, are not computed again for the next drawing.
   *
   * What is kept is (layer, pixel, channel).
   */
  class PixelCNNPredictor {
    /**
     * @param {PixelCNN} model
     * @param {number} height - H
     * @param {number} width - W
     * @param {?number} label
     */
    constructor(model, height, width, label) {
      lab.checkInteger("the height", height, 1);
      lab.checkInteger("the width", width, 1);
      lab.checkLabel(label, model.numClasses);
      Object.assign(this, { model, height, width, layers: 1 + model.blocks.length });
      const { channels } = model;
      const room = () => new Float64Array(this.layers * height * width * channels);
      this.terms = Array.from({ length: this.layers }, (_, i) => model.labelTerms(i, label));
      this.above = room(); // what the next block's vertical convolution reads
      this.told = room(); // what the vertical stack tells the horizontal one
      this.left = room(); // what the next block's horizontal convolution reads
      this.vertical = new Float64Array(width * channels); // the stack itself, in its newest row
      this.horizontal = new Float64Array(channels); // the stack itself, at its newest place
      this.seen = new Uint8Array(height * width); // the tokens from which all this was found
      this.steps = 0; // layers of the vertical stack that were run, row by row
      this.done = new Uint16Array(height); // places of each row at which the horizontal one was run
    }

    /**
     * Does one small piece of the work that `logits` of the same arguments needs beforehand: one
     * layer of the vertical stack in one row.
     * @param {Uint8Array} tokens - (H W,) those before the pixel are read
     * @param {number} pixel - flat index
     * @returns {boolean} whether there was any
     */
    prepare(tokens, pixel) {
      this.takeUp(tokens, pixel);
      const row = Math.floor(this.steps / this.layers);
      if (row * this.width > pixel) return false;
      this.lookAbove(row, this.steps % this.layers);
      this.steps += 1;
      return true;
    }

    /**
     * Right in any order, and quick where one pixel after the other is asked for.
     * @param {Uint8Array} tokens - (H W,) those before the pixel are read
     * @param {number} pixel - flat index
     * @returns {Float64Array} (K,) logits of that pixel
     */
    logits(tokens, pixel) {
      while (this.prepare(tokens, pixel));
      const [row, last] = [Math.floor(pixel / this.width), pixel % this.width];
      for (let column = Math.min(this.done[row], last); column <= last; column++) {
        this.lookLeft(row, column);
      }
      this.done[row] = Math.max(this.done[row], last + 1);
      const [wide, narrow] = this.model.head;
      return lab.linear(lab.relu(lab.linear(active(this.horizontal), wide)), narrow);
    }

    /** Takes up the tokens before a pixel, and forgets what was found from others. */
    takeUp(tokens, pixel) {
      lab.checkSize(tokens, this.height, this.width);
      lab.checkInteger("the pixel", pixel, 0, tokens.length - 1);
      let same = 0;
      while (same < pixel && tokens[same] === this.seen[same]) same++;
      if (same === pixel) return;
      lab.checkTokens(tokens, same, pixel, this.model.numBins);
      for (let place = same; place < pixel; place++) this.seen[place] = tokens[place];
      const row = Math.floor(same / this.width);
      this.steps = Math.min(this.steps, this.layers * (row + 1));
      this.done[row] = Math.min(this.done[row], (same % this.width) + 1);
      this.done.fill(0, row + 1);
    }

    /** Runs a layer of the vertical stack in a row: 0 is the first one, 1 + i that of block i. */
    lookAbove(row, layer) {
      const { channels, blocks, link } = this.model;
      if (layer === 0) this.readRows(row);
      else this.convolveRows(row, layer);
      this.addToRow(this.terms[layer].vertical);
      const found = active(this.vertical); // (W, C)
      const told = layer === 0 ? link : blocks[layer - 1].link;
      for (let column = 0; column < this.width; column++) {
        const at = this.at(layer, row, column);
        this.told.set(told.bias, at);
        lab.add(this.told, at, this.terms[layer].horizontal, 0, channels);
        lab.addProduct(this.told, at, told.weight, 0, found, column * channels, channels, channels);
      }
      this.above.set(found, this.at(layer, row, 0));
    }

    /** Begins the vertical stack in a row: the first layer reads the tokens of the rows above. */
    readRows(row) {
      this.vertical.fill(0);
      this.addToRow(this.model.vertical.bias);
      for (let column = 0; column < this.width; column++) {
        this.read(this.vertical, column * this.model.channels, this.model.vertical, row, column);
      }
    }

    /** Adds to the vertical stack, in its newest row, what a block's convolution finds. */
    convolveRows(row, layer) {
      const { channels, blocks } = this.model;
      const { offsets, matrices, bias } = blocks[layer - 1].vertical;
      this.addToRow(bias);
      offsets.forEach(([up, aside], i) => {
        if (row + up < 0) return;
        const end = Math.min(this.width, this.width - aside);
        for (let column = Math.max(0, -aside); column < end; column++) {
          const from = this.at(layer - 1, row + up, column + aside);
          const to = column * channels;
          lab.addProduct(this.vertical, to, matrices[i], 0, this.above, from, channels, channels);
        }
      });
    }

    /** Adds the same (C,) to the vertical stack at all places of its newest row. */
    addToRow(term) {
      const { channels } = this.model;
      for (let column = 0; column < this.width; column++) {
        lab.add(this.vertical, column * channels, term, 0, channels);
      }
    }

    /** Runs the horizontal stack at one place. */
    lookLeft(row, column) {
      const { channels, blocks, horizontal } = this.model;
      const told = (layer) => this.told.subarray(this.at(layer, row, column)); // from there on
      this.horizontal.set(horizontal.bias);
      lab.add(this.horizontal, 0, told(0), 0, channels);
      this.read(this.horizontal, 0, horizontal, row, column);
      blocks.forEach((block, layer) => {
        this.left.set(active(this.horizontal), this.at(layer, row, column));
        const found = this.convolvePlace(block.horizontal, layer, row, column);
        lab.add(found, 0, told(layer + 1), 0, channels);
        lab.add(this.horizontal, 0, lab.linear(lab.relu(found), block.mix), 0, channels);
      });
    }

    /** @returns {Float64Array} (C,) what a block's horizontal convolution finds at one place */
    convolvePlace({ offsets, matrices, bias }, layer, row, column) {
      const { channels } = this.model;
      const found = bias.slice();
      offsets.forEach(([, aside], i) => {
        if (column + aside < 0) return;
        const from = this.at(layer, row, column + aside);
        lab.addProduct(found, 0, matrices[i], 0, this.left, from, channels, channels);
      });
      return found;
    }

    /** Adds what a first layer reads around one place: a row of its table for each token. */
    read(out, outAt, { offsets, table }, row, column) {
      const { channels, numBins } = this.model;
      offsets.forEach(([up, aside], i) => {
        const [y, x] = [row + up, column + aside];
        if (y < 0 || x < 0 || x >= this.width) return;
        const entry = i * numBins + this.seen[y * this.width + x];
        lab.add(out, outAt, table, entry * channels, channels);
      });
    }

    /** @returns {number} where the channels of a place begin in what is kept of a layer */
    at(layer, row, column) {
      return ((layer * this.height + row) * this.width + column) * this.model.channels;
    }
  }

  /** @returns {Float64Array} a copy with 0 for negative numbers */
  function active(x) {
    return lab.relu(x.slice());
  }

  lab.PixelCNNPredictor = PixelCNNPredictor;
}
