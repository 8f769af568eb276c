/** Square RGB bytes `[size, size, 3]`. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly size: number;
}
