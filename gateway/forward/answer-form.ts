import type { IncomingHttpHeaders } from 'node:http';

/** An error and a stream are passed on as they come; a whole answer is collected, because its headers say its cost. */
export type AnswerForm = 'Error' | 'Stream' | 'Whole';

/** The form of an answer with this status and these headers. */
export function answerForm(status: number, headers: IncomingHttpHeaders): AnswerForm {
  if (status >= 300) return 'Error';
  return headers['content-type']?.startsWith('text/event-stream') === true ? 'Stream' : 'Whole';
}
