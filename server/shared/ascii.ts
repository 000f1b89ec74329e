/**
 * Escapes characters outside ASCII in a JSON text. Headers must be ASCII (RFC 9110, section 5.5), and ASCII needs no
 * encoding.
 */
export function asciiJson(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
