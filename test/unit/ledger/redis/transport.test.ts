import { describe, expect, test } from '@jest/globals';
import { connectLedger } from '../../../../ledger/redis/connect-ledger.ts';
import { nano } from '../../../../policy/core/money.ts';
import { startRedis } from '../../../support/redis.ts';
import { query, reservation, until } from './loaded-gateway.ts';

describe('a gateway that leaves', () => {
  test('waits until a replica has its changes, but not for a replica that hangs', async () => {
    const server = await startRedis();
    const { port, password } = server;
    const replica = await startRedis({
      password,
      configuration: [`replicaof 127.0.0.1 ${port}`, `masterauth ${password}`],
    });
    const ledger = connectLedger({ url: server.url, installation: 'recovery', epoch: () => 'one' });
    await until(() => ledger.operator.establish('one').then(() => true));
    const copy = connectLedger({ url: replica.url, installation: 'recovery', epoch: () => 'one' });
    await until(async () => (await copy.operator.state()).epoch === 'one');
    const leaveAs = async (name: string): Promise<number> => {
      ledger.gateway.begin(name);
      await ledger.gateway.beat({ pod: name, shards: {} });
      await ledger.gateway.reserve(reservation(name));
      await ledger.gateway.settle({ id: name, costNano: nano(7n), presumedNano: nano(0n), record: { id: name } });
      const began = performance.now();
      await ledger.gateway.leave();
      return performance.now() - began;
    };
    await leaveAs('first');
    expect((await copy.operator.read([query]))[0]!.total.spentNano).toBe(7n);
    process.kill(replica.pid, 'SIGSTOP');
    expect(await leaveAs('second')).toBeGreaterThan(2_000);
    process.kill(replica.pid, 'SIGCONT');
    for (const one of [ledger, copy]) one.close();
    await replica.stop();
    await server.stop();
  });
});
