/** A type whose properties the owner of an object may set, while others see them as read-only. */
export type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };
