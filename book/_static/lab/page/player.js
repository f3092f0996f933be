"use strict";
// Lets an image grow without freezing the page: a few milliseconds of work in each frame.
{
  const lab = (globalThis.PixelLab ??= {});
  const SLICE = 10; // milliseconds of drawing in a frame of 16
  const AT_ONCE = 1e6; // pixels a second

  /** Advances a drawing, as many pixels a second as one wants to see. */
  class Player {
    /**
     * @param {Function} onPixels - called after each piece of work with the results of `advance`
     * @param {Function} onStop - called when the image is complete or the player pauses
     */
    constructor(onPixels, onStop) {
      Object.assign(this, { onPixels, onStop, handle: null, isPlaying: false, isHurried: false });
      Object.assign(this, { drawing: null, live: null, pixelsPerSecond: 200 });
    }

    /** @param {?Drawing} drawing - the one to go on with; the player pauses */
    take(drawing) {
      this.pause();
      Object.assign(this, { drawing, live: null });
    }

    /** @param {boolean} [isHurried] - whether to draw as fast as it can */
    play(isHurried = false) {
      if (this.drawing === null || this.drawing.isDone) return;
      Object.assign(this, { isPlaying: true, isHurried, last: performance.now(), due: 1 });
      this.request();
    }

    pause() {
      if (!this.isPlaying) return;
      Object.assign(this, { isPlaying: false, isHurried: false });
      this.onStop();
    }

    /** Draws so many pixels at once, at most a row. */
    step(count) {
      this.pause();
      const drawn = [];
      while (drawn.length < count && !this.drawing.isDone) drawn.push(this.drawing.advance());
      this.onPixels(drawn);
      this.onStop();
    }

    /**
     * Goes over to a live drawing of the same picture, as soon as it has caught up.
     * @param {Drawing} live
     */
    follow(live) {
      this.live = live;
      this.request();
    }

    request() {
      this.handle ??= requestAnimationFrame((now) => {
        this.handle = null;
        this.frame(now);
      });
    }

    frame(now) {
      if (this.drawing === null) return;
      const end = performance.now() + SLICE;
      const drawn = this.live === null ? [] : this.catchUp(end);
      if (this.isPlaying) drawn.push(...this.playOn(now, end));
      this.onPixels(drawn);
      if (this.drawing.isDone) this.pause();
      if (this.isPlaying || this.live !== null) this.request();
    }

    /** @returns {Object[]} what the live drawing has drawn of what was shown already */
    catchUp(end) {
      const caughtUp = [];
      while (performance.now() < end && this.live.pixel < this.drawing.pixel) {
        if (!this.live.prepare()) caughtUp.push(this.live.advance());
      }
      const isLevel = this.live.pixel >= this.drawing.pixel;
      if (isLevel) Object.assign(this, { drawing: this.live, live: null });
      return caughtUp;
    }

    /** @returns {Object[]} what was due and could be drawn in time */
    playOn(now, end) {
      const speed = this.isHurried ? AT_ONCE : this.pixelsPerSecond;
      this.due += (Math.max(now - this.last, 0) * speed) / 1000;
      this.last = now;
      const drawn = [];
      while (performance.now() < end && this.due >= 1 && !this.drawing.isDone) {
        if (this.drawing.prepare()) continue;
        drawn.push(this.drawing.advance());
        this.due -= 1;
      }
      this.due = Math.min(this.due, Math.max(1, speed / 30)); // no making up for lost time
      return drawn;
    }
  }

  lab.Player = Player;
}
