// What examples/expo-chat uses of packages that are too large to install here, from their own declarations.

declare module 'expo/fetch' {
  interface FetchResponse {
    readonly body: ReadableStream<Uint8Array> | null;
    readonly headers: Headers;
    readonly ok: boolean;
    readonly status: number;
    readonly url: string;
    arrayBuffer(): Promise<ArrayBuffer>;
    json(): Promise<unknown>;
    text(): Promise<string>;
  }
  export function fetch(
    url: string,
    init?: { method?: string; headers?: HeadersInit; body?: BodyInit; signal?: AbortSignal },
  ): Promise<FetchResponse>;
}

declare module 'expo-crypto' {
  export function getRandomValues<T extends Uint8Array>(typedArray: T): T;
}

declare module 'web-streams-polyfill' {
  const Streams: typeof globalThis.ReadableStream;
  export { Streams as ReadableStream };
}

declare module '@react-native-async-storage/async-storage' {
  const AsyncStorage: {
    getItem(
      key: string,
      callback?: (error?: Error | null, result?: string | null) => void,
    ): Promise<string | null>;
    setItem(key: string, value: string, callback?: (error?: Error | null) => void): Promise<void>;
    removeItem(key: string, callback?: (error?: Error | null) => void): Promise<void>;
    getAllKeys(): Promise<readonly string[]>;
  };
  export default AsyncStorage;
}

declare module '@react-native-community/netinfo' {
  const NetInfo: {
    addEventListener(listener: (state: { readonly isConnected: boolean | null }) => void): () => void;
  };
  export default NetInfo;
}

declare module 'react-native' {
  import type { ReactElement, ReactNode } from 'react';

  export const AppState: {
    addEventListener(
      type: 'change',
      listener: (state: 'active' | 'background' | 'inactive' | 'unknown' | 'extension') => void,
    ): { remove(): void };
  };
  export function Button(props: { title: string; onPress: () => void; disabled?: boolean }): ReactElement;
  export function SafeAreaView(props: {
    style?: { flex?: number; padding?: number };
    children?: ReactNode;
  }): ReactElement;
  export function Text(props: { children?: ReactNode }): ReactElement;
  export function TextInput(props: {
    accessibilityLabel?: string;
    value?: string;
    onChangeText?: (text: string) => void;
    onSubmitEditing?: () => void;
  }): ReactElement;
  export function FlatList<T>(props: {
    data: readonly T[];
    keyExtractor: (item: T) => string;
    renderItem: (info: { item: T }) => ReactElement;
  }): ReactElement;
}
