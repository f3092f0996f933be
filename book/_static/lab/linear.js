"use strict";
// Products of matrices and vectors. All sums are in double precision, so that they are nearer to
// the exact ones than torch's in float32, and come out alike in every browser.
{
  const lab = (globalThis.PixelLab ??= {});

  /**
   * Adds a matrix times a vector: out += matrix x. Four rows at a time share what is read of x.
   * @param {Float64Array} out - its `rows` numbers from `outAt` on are added to
   * @param {number} outAt
   * @param {Float64Array} matrix - (rows, columns), from `matrixAt` on
   * @param {number} matrixAt
   * @param {Float64Array} x - (columns,), from `xAt` on
   * @param {number} xAt
   * @param {number} rows
   * @param {number} columns
   */
  function addProduct(out, outAt, matrix, matrixAt, x, xAt, rows, columns) {
    let row = 0;
    let first = matrixAt;
    for (; row + 4 <= rows; row += 4, first += 4 * columns) {
      const [second, third] = [first + columns, first + 2 * columns];
      const fourth = third + columns;
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let i = 0; i < columns; i++) {
        const value = x[xAt + i];
        a += matrix[first + i] * value;
        b += matrix[second + i] * value;
        c += matrix[third + i] * value;
        d += matrix[fourth + i] * value;
      }
      out[outAt + row] += a;
      out[outAt + row + 1] += b;
      out[outAt + row + 2] += c;
      out[outAt + row + 3] += d;
    }
    for (; row < rows; row++, first += columns) {
      let sum = 0;
      for (let i = 0; i < columns; i++) sum += matrix[first + i] * x[xAt + i];
      out[outAt + row] += sum;
    }
  }

  /**
   * @param {Float64Array} x - (columns,)
   * @param {{weight: Float64Array, bias: Float64Array}} layer - (rows, columns) and (rows,)
   * @returns {Float64Array} (rows,) weight x + bias
   */
  function linear(x, { weight, bias }) {
    const out = bias.slice();
    addProduct(out, 0, weight, 0, x, 0, bias.length, x.length);
    return out;
  }

  /**
   * Sets negative numbers to 0, in place.
   * @param {Float64Array} x - (n,)
   * @returns {Float64Array} the same
   */
  function relu(x) {
    for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0;
    return x;
  }

  /**
   * A linear layer that reads embeddings is a sum of rows, one for each place and token.
   * @param {Float64Array} embedding - (values, size)
   * @param {Float64Array[]} matrices - for each place (rows, size), what the layer does to it
   * @param {number} size - numbers of an embedding
   * @returns {Float64Array} (places, values, rows) what each token adds at each place
   */
  function lookupTable(embedding, matrices, size) {
    const [rows, values] = [matrices[0].length / size, embedding.length / size];
    const table = new Float64Array(matrices.length * values * rows);
    matrices.forEach((matrix, place) => {
      for (let value = 0; value < values; value++) {
        const at = (place * values + value) * rows;
        addProduct(table, at, matrix, 0, embedding, value * size, rows, size);
      }
    });
    return table;
  }

  /**
   * Adds some numbers to others: out += x.
   * @param {Float64Array} out - its `count` numbers from `outAt` on are added to
   * @param {number} outAt
   * @param {Float64Array} x - (count,), from `xAt` on
   * @param {number} xAt
   * @param {number} count
   */
  function add(out, outAt, x, xAt, count) {
    for (let i = 0; i < count; i++) out[outAt + i] += x[xAt + i];
  }

  /**
   * Goes back through a linear layer: what a loss's gradient by its outputs tells of its weights
   * and inputs. Zeros, which a ReLU makes of many gradients, are passed over.
   * @param {Float64Array} slope - (rows,) gradient by the outputs
   * @param {{weight: Float64Array}} layer - (rows, columns)
   * @param {{weight: Float64Array, bias: Float64Array}} gradient - of the layer; is added to
   * @param {Float64Array} x - (columns,) the layer's inputs, outputs of a ReLU
   * @returns {Float64Array} (columns,) gradient by what went into that ReLU
   */
  function linearBackward(slope, { weight }, gradient, x) {
    const columns = x.length;
    const back = new Float64Array(columns);
    for (let row = 0; row < slope.length; row++) {
      const value = slope[row];
      if (value === 0) continue;
      gradient.bias[row] += value;
      const at = row * columns;
      for (let i = 0; i < columns; i++) {
        gradient.weight[at + i] += value * x[i];
        back[i] += value * weight[at + i];
      }
    }
    for (let i = 0; i < columns; i++) if (x[i] === 0) back[i] = 0;
    return back;
  }

  Object.assign(lab, { add, addProduct, linear, linearBackward, lookupTable, relu });
}
