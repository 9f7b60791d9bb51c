/**
 * The outcome of a step that can fail in an expected way, mostly with a `Refusal`. Test `ok` before reading `value` or
 * `error`; a failed result can be returned as it is from a function whose result has another value.
 */
export type Result<T, E> = Ok<T> | Err<E>;

export type Ok<T> = { readonly ok: true; readonly value: T };
export type Err<E> = { readonly ok: false; readonly error: E };

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value };
}

export function err<E>(error: E): Err<E> {
  return { ok: false, error };
}
