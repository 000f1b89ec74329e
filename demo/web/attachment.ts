import type { FileUIPart } from 'ai';

/** Longest side of an attached image, in pixels: the browser keeps conversations in 5 MB. */
const MAX_SIDE = 768;

/** Reads an image and makes it smaller. @throws if the file is not an image that the browser knows. */
export async function readImage(file: File): Promise<FileUIPart> {
  const image = await createImageBitmap(file);
  const scale = Math.min(1, MAX_SIDE / Math.max(image.width, image.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext('2d')!;
  // JPEG has no transparency.
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const mediaType = 'image/jpeg';
  return { type: 'file', mediaType, filename: file.name, url: canvas.toDataURL(mediaType, 0.82) };
}
