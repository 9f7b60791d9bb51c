import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from '../../config/redis-address.ts';

/** A client of one server (which Sentinels may have named) or of a cluster. */
export type Client = Redis | Cluster;

/** What both need beside the address. */
export interface ClientOptions {
  /** How long one command may take before it counts as unreachable. Milliseconds. */
  readonly commandTimeout: number;
  /** The certificates that servers with TLS are trusted by, in PEM; undefined: those of the system. */
  readonly ca: string | undefined;
}

type Send = (this: Redis, ...args: Parameters<Redis['sendCommand']>) => unknown;

/** What ioredis sends on its own: to Sentinels when it is connected again, and to where a slot is being moved. */
const UNASKED = new Set(['subscribe', 'asking']);
const send: Send = Reflect.get(Redis.prototype, 'sendCommand');
/** It lets nobody see those fail, which would end the process; what they are for is tried again in any case. */
Redis.prototype.sendCommand = function (...args) {
  const answer = send.apply(this, args);
  if (UNASKED.has(args[0].name) && answer instanceof Promise) answer.catch(() => {});
  return answer;
};

/** How often Sentinels or servers are asked for the new master while there is none. Milliseconds. */
const FAILOVER_RETRY_MS = 250;

/**
 * Connects in the background, again and again. Queues nothing while it is down, and repeats no command that a server
 * may have run: only what one refused because the key lives on another.
 */
export function openClient(address: RedisAddress, options: ClientOptions): Client {
  if (address.kind === 'Cluster') return new Cluster([...address.nodes], clusterOptions(address, options));
  const one = { ...serverOptions(address, options), db: address.db, enableAutoPipelining: true };
  if (address.kind === 'Sentinel') return new Redis({ ...one, ...sentinelOptions(address, options) });
  return new Redis({ ...one, ...address.nodes[0], retryStrategy: (times) => Math.min(times * 50, 1000) });
}

function serverOptions({ username, password, isTls }: RedisAddress, options: ClientOptions) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(isTls ? { tls: tlsOptions(options) } : {}),
    // RESP2 is spoken by every Redis, Valkey and proxy, and nothing here needs more.
    protocol: 2,
    disableClientInfo: true,
    commandTimeout: options.commandTimeout,
    connectTimeout: 2000,
    // A host that vanished without a word: give the connection up.
    socketTimeout: 5000,
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
    // Not only where the master is gone: one that hangs, or that others have left, is left as soon as Sentinels say so.
    failoverDetector: true,
    disconnectTimeout: FAILOVER_RETRY_MS,
    reconnectOnError: ({ message }) => /^(READONLY|MASTERDOWN)/.test(message),
    retryStrategy: () => FAILOVER_RETRY_MS,
    sentinelRetryStrategy: () => FAILOVER_RETRY_MS,
    sentinelReconnectStrategy: () => 1000,
  } satisfies RedisOptions;
}

function clusterOptions(address: RedisAddress, options: ClientOptions) {
  return {
    redisOptions: serverOptions(address, options),
    enableOfflineQueue: false,
    // It would ask again on its own what a connection that broke may have delivered.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    maxRedirections: 4,
    slotsRefreshInterval: 1000,
    clusterRetryStrategy: () => FAILOVER_RETRY_MS,
    // A cluster that names its servers by the host in their certificates must not have that resolved away.
    ...(address.isTls ? { dnsLookup: (host, found) => found(null, host) } : {}),
  } satisfies ClusterOptions;
}

function tlsOptions({ ca }: ClientOptions): { ca?: string } {
  return ca === undefined ? {} : { ca };
}
