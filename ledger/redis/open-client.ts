import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from '../../config/redis-address.ts';

/** A client of one server (which Sentinels may have named) or of a cluster. */
export type Client = Redis | Cluster;

/** As in `ConnectionOptions`. */
export interface ClientOptions {
  readonly commandTimeout: number;
  readonly ca: string | undefined;
}

type Send = (this: Redis, ...args: Parameters<Redis['sendCommand']>) => unknown;

/** Commands that ioredis sends on its own: to Sentinels after a reconnect, and to the target of a slot that is moved. */
const INTERNAL_COMMANDS = new Set(['subscribe', 'asking']);
const send: Send = Reflect.get(Redis.prototype, 'sendCommand');
/** ioredis repeats these commands by itself, but leaves their rejections unhandled, which would end the process. */
Redis.prototype.sendCommand = function (...args) {
  const reply = send.apply(this, args);
  if (INTERNAL_COMMANDS.has(args[0].name) && reply instanceof Promise) reply.catch(() => {});
  return reply;
};

/** How often Sentinels or servers are asked for the new master while there is none. Milliseconds. */
const FAILOVER_RETRY_MS = 250;

/**
 * A server that is not the master, or is cut off from its replicas: another one may have taken its place, with the same
 * address and without an end to this connection.
 */
const NOT_THE_MASTER = /^(READONLY|MASTERDOWN|NOREPLICAS)/;

/**
 * A client that connects, and reconnects, in the background. It queues nothing while it is down, and repeats no command
 * that a server may have run: only one that was refused because its key is on another server.
 */
export function openClient(address: RedisAddress, options: ClientOptions): Client {
  if (address.kind === 'Cluster') return new Cluster([...address.nodes], clusterOptions(address, options));
  const one = {
    ...serverOptions(address, options),
    db: address.db,
    enableAutoPipelining: true,
    reconnectOnError: ({ message }) => NOT_THE_MASTER.test(message),
    disconnectTimeout: FAILOVER_RETRY_MS,
  } satisfies RedisOptions;
  if (address.kind === 'Sentinel') return new Redis({ ...one, ...sentinelOptions(address, options) });
  return new Redis({
    ...one,
    ...address.nodes[0],
    retryStrategy: (times) => Math.min(times * FAILOVER_RETRY_MS, 1000),
  });
}

function serverOptions({ username, password, isTls }: RedisAddress, options: ClientOptions) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(isTls ? { tls: tlsOptions(options) } : {}),
    // Every Redis, Valkey and proxy speaks RESP2, and nothing here needs more.
    protocol: 2,
    disableClientInfo: true,
    commandTimeout: options.commandTimeout,
    connectTimeout: 2000,
    // Drops the connection to a host that vanished without closing it.
    socketTimeout: 3000,
    // A server that loads its data says for how long, by guess: without this it would be asked again only then.
    maxLoadingRetryTime: FAILOVER_RETRY_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  } satisfies RedisOptions;
}

function sentinelOptions(address: RedisAddress, options: ClientOptions) {
  return {
    sentinels: [...address.nodes],
    name: address.master,
    ...(address.sentinelPassword === undefined ? {} : { sentinelPassword: address.sentinelPassword }),
    sentinelCommandTimeout: options.commandTimeout,
    ...(address.isTls ? { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(options) } : {}),
    // Also leaves a master that hangs, or that was replaced, as soon as the Sentinels say so.
    failoverDetector: true,
    retryStrategy: () => FAILOVER_RETRY_MS,
    sentinelRetryStrategy: () => FAILOVER_RETRY_MS,
    sentinelReconnectStrategy: () => 1000,
  } satisfies RedisOptions;
}

function clusterOptions(address: RedisAddress, options: ClientOptions) {
  return {
    redisOptions: serverOptions(address, options),
    enableOfflineQueue: false,
    // Else ioredis would repeat commands that a broken connection may have delivered.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    maxRedirections: 4,
    slotsRefreshInterval: 1000,
    clusterRetryStrategy: () => FAILOVER_RETRY_MS,
    // Keeps the host names of servers, which their certificates name.
    ...(address.isTls ? { dnsLookup: (host, found) => found(null, host) } : {}),
  } satisfies ClusterOptions;
}

function tlsOptions({ ca }: ClientOptions): { ca?: string } {
  return ca === undefined ? {} : { ca };
}
