/** Rows of the GEMM tile in use, 6 or 4; set once at start-up (each instance is one thread and has its own). */
export let TILE: i32 = 6;

export function setTile(rows: i32): void {
  TILE = rows;
}
