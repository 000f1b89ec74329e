/** All byte values in order, including CR, LF and NUL, and some incomplete characters. */
export function everyByte(): Buffer {
  return Buffer.concat([
    Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
    Buffer.from('data: x\r\n\r\n\n\nevent: control\ndata: {"streamClosed":true}\n\n'),
    Buffer.from([0xf0, 0x9f, 0x92]),
  ]);
}
