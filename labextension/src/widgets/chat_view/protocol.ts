/** The messages of a chat view, as docs/reference/widget-messages.md specifies them. */

export type Which = 'tuned' | 'base';
export type Status = 'loading' | 'ready' | 'busy' | 'closed' | 'failed';

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
  /** Which model said it; nobody else has this. */
  which?: Which;
}

export interface Settings {
  temperature: number;
  top_p: number;
  max_new_tokens: number;
  seed: number | null;
}

export interface Answer {
  text: string;
  tokens: number;
  seconds: number;
  stopped: 'eos' | 'length' | 'cancelled';
}

export interface State {
  status: Status;
  message: string;
  fix: string;
  title: string;
  choices: Which[];
  transcript: Message[];
}

export type FromKernel =
  | ({ type: 'state' } & State)
  | { type: 'token'; id: number; which: Which; text: string }
  | ({ type: 'answer'; id: number; which: Which } & Answer)
  | { type: 'error'; id: number; message: string; fix: string };

export type ToKernel =
  | { type: 'hello' }
  | { type: 'ask'; id: number; which: Which[]; messages: Message[]; settings: Settings }
  | { type: 'cancel' }
  | { type: 'clear' }
  | { type: 'close' };
