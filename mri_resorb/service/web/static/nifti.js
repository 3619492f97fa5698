/**
 * Reading and writing NIfTI-1 volumes, as far as the service's own files need it.
 *
 * Source of the header's fields: nifti1.h, https://nifti.nimh.nih.gov/nifti-1.
 */

const HEADER_BYTES = 352;
const FLOAT32 = 16;
const READERS = {
  2: ["getUint8", 1],
  4: ["getInt16", 2],
  8: ["getInt32", 4],
  16: ["getFloat32", 4],
  64: ["getFloat64", 8],
  256: ["getInt8", 1],
  512: ["getUint16", 2],
};

/** The bytes of a NIfTI file without gzip around them. */
export async function unpacked(buffer) {
  const start = new Uint8Array(buffer, 0, 2);
  if (start[0] !== 0x1f || start[1] !== 0x8b) return buffer;
  return through(buffer, new DecompressionStream("gzip"));
}

/** Its voxels in the file's order, scaled: Float32Array. */
export function voxels(buffer) {
  const view = new DataView(buffer);
  if (view.getInt32(0, true) !== 348) throw new Error("not a little-endian NIfTI-1 file");
  const count = [1, 2, 3].reduce((product, axis) => product * view.getInt16(40 + 2 * axis, true), 1);
  const reader = READERS[view.getInt16(70, true)];
  if (!reader) throw new Error("an unusual kind of NIfTI voxels");
  const [method, size] = reader;
  const start = view.getFloat32(108, true);
  const slope = view.getFloat32(112, true) || 1;
  const shift = view.getFloat32(116, true) || 0;
  const values = new Float32Array(count);
  for (let n = 0; n < count; n++) values[n] = view[method](start + n * size, true) * slope + shift;
  return values;
}

/**
 * A gzipped NIfTI file of float32 voxels on another file's grid.
 *
 * @param {ArrayBuffer} like the other file, unpacked
 * @param {Float32Array} values in its order of voxels
 */
export async function packed(like, values) {
  const made = new ArrayBuffer(HEADER_BYTES + 4 * values.length);
  new Uint8Array(made, 0, 348).set(new Uint8Array(like, 0, 348));
  const view = new DataView(made);
  view.setInt16(40, 3, true);
  view.setInt16(70, FLOAT32, true);
  view.setInt16(72, 32, true);
  view.setFloat32(108, HEADER_BYTES, true);
  view.setFloat32(112, 1, true);
  for (const unused of [116, 124, 128]) view.setFloat32(unused, 0, true);
  new Uint8Array(made, 148, 104).fill(0); // description and the name of another file
  for (let n = 0; n < values.length; n++) view.setFloat32(HEADER_BYTES + 4 * n, values[n], true);
  return through(made, new CompressionStream("gzip"));
}

function through(buffer, stream) {
  return new Response(new Blob([buffer]).stream().pipeThrough(stream)).arrayBuffer();
}
