/** Paragraphs without markdown, so that the text on the page equals the text that was sent. */
export const PARAGRAPHS = [
  'The first paragraph arrives before anything happens to the connection.',
  'The second one is where the cut falls: naïve façade, 世界は広い, 안녕하세요, 👩‍👩‍👧‍👦 and 🇳🇿 in one line.',
  'The third is what would be missing if the reader did not come back.',
  'The fourth and last says that nothing came twice.',
] as const;

export const ANSWER = PARAGRAPHS.join('\n\n');
export const QUESTION = 'What holds?';

/** Ends in the middle of the answer, in the middle of a line. */
export const MIDDLE = '世界は広い';
