"use strict";
// Lets an image grow without freezing the page: a few milliseconds of work in each frame.
{
  const lab = (globalThis.PixelLab ??= {});
  const SLICE = 10; // milliseconds of drawing in a frame of 16

  /** Advances a Drawing, as many pixels a second as one wants to see. */
  class Player {
    /**
     * @param {Function} onPixels - called after each piece of work with the results of `advance`
     * @param {Function} onStop - called when the image is complete or the player pauses
     */
    constructor(onPixels, onStop) {
      Object.assign(this, { onPixels, onStop, drawing: null, live: null, isPlaying: false });
      this.pixelsPerSecond = 200;
    }

    /** @param {Drawing} drawing - the one to go on with; the player pauses */
    take(drawing) {
      this.pause();
      Object.assign(this, { drawing, live: null });
    }

    /**
     * Goes over to a live drawing of the same picture, as soon as it has caught up.
     * @param {Drawing} live
     */
    follow(live) {
      this.live = live;
      requestAnimationFrame(() => this.catchUp());
    }

    catchUp() {
      const { drawing, live } = this;
      if (live === null) return; // another drawing was begun
      const caughtUp = [];
      const end = performance.now() + SLICE;
      while (performance.now() < end && live.pixel < drawing.pixel) {
        if (!live.prepare()) caughtUp.push(live.advance());
      }
      const isLevel = live.pixel >= drawing.pixel;
      if (isLevel) Object.assign(this, { drawing: live, live: null });
      else requestAnimationFrame(() => this.catchUp());
      this.onPixels(caughtUp);
    }

    play() {
      if (this.isPlaying || this.drawing === null || this.drawing.isDone) return;
      Object.assign(this, { isPlaying: true, last: performance.now(), due: 1 });
      requestAnimationFrame((now) => this.frame(now));
    }

    pause() {
      if (!this.isPlaying) return;
      this.isPlaying = false;
      this.onStop();
    }

    /** Draws so many pixels at once, at most a row. */
    step(count = 1) {
      this.pause();
      const drawn = [];
      while (drawn.length < count && !this.drawing.isDone) drawn.push(this.drawing.advance());
      this.onPixels(drawn);
      if (this.drawing.isDone) this.onStop();
    }

    frame(now) {
      if (!this.isPlaying) return;
      this.due += (Math.max(now - this.last, 0) * this.pixelsPerSecond) / 1000;
      this.last = now;
      const drawn = [];
      const end = performance.now() + SLICE;
      while (performance.now() < end && this.due >= 1 && !this.drawing.isDone) {
        if (this.drawing.prepare()) continue;
        drawn.push(this.drawing.advance());
        this.due -= 1;
      }
      this.due = Math.min(this.due, Math.max(1, this.pixelsPerSecond / 30)); // no catching up
      this.onPixels(drawn);
      if (this.drawing.isDone) this.pause();
      else requestAnimationFrame((later) => this.frame(later));
    }
  }

  lab.Player = Player;
}
