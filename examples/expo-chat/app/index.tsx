import '../polyfills';
import AsyncStorage from '@react-native-async-storage/async-storage';
import NetInfo from '@react-native-community/netinfo';
import { useDurableChat } from 'durable-proxy/react';
import { fetch } from 'expo/fetch';
import { useState } from 'react';
import { AppState, Button, FlatList, SafeAreaView, Text, TextInput } from 'react-native';
import { durableOptions, type Device } from '../durable';

const SERVER = process.env.EXPO_PUBLIC_SERVER ?? 'http://localhost:3000';

const device: Device = {
  fetch: fetch as Device['fetch'],
  storage: AsyncStorage,
  onForeground(listener) {
    const subscription = AppState.addEventListener('change', (state) => {
      if (state === 'active') listener();
    });
    return () => subscription.remove();
  },
  onOnline: (listener) =>
    NetInfo.addEventListener(({ isConnected }) => {
      if (isConnected) listener();
    }),
};

async function token(): Promise<string> {
  const response = await fetch(`${SERVER}/api/token`, { method: 'POST' });
  return ((await response.json()) as { token: string }).token;
}

// Made once: options that change begin a new connection.
const options = durableOptions(device, SERVER, token);

export default function Chat() {
  const [input, setInput] = useState('');
  const { messages, sendMessage, status, stop, retry, error, resumption } = useDurableChat({
    ...options,
    id: 'main',
    scope: 'user-1', // Id of the signed-in user.
  });
  const isBusy = status === 'submitted' || status === 'streaming';
  const send = () => {
    setInput('');
    void sendMessage({ text: input });
  };
  return (
    <SafeAreaView style={{ flex: 1, padding: 16 }}>
      <FlatList
        data={messages}
        keyExtractor={({ id }) => id}
        renderItem={({ item }) => (
          <Text>
            {item.role}: {item.parts.map((part) => (part.type === 'text' ? part.text : '')).join('')}
          </Text>
        )}
      />
      {resumption.status === 'reconnecting' && <Text>Reconnecting…</Text>}
      {error && <Button title="Try again" onPress={() => void retry()} />}
      <TextInput accessibilityLabel="Message" value={input} onChangeText={setInput} onSubmitEditing={send} />
      <Button title={isBusy ? 'Stop' : 'Send'} onPress={isBusy ? () => void stop() : send} />
    </SafeAreaView>
  );
}
