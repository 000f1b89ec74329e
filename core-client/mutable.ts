/** A type whose properties may be set by the code that created the object. For other code, they are read-only. */
export type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };
