import * as v from 'valibot';
import { mapping, oneOf, text, textLike, wholeNumber } from '../schema/schema-parts.ts';

const PORTS = { StartTLS: 587, TLS: 465, None: 25 };
const HOST = /^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$|^[0-9a-fA-F:]{2,45}$/;
const ADDRESS = /^[^\s<>@"]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/;

/** The mail server that notifications go through. Its password is no setting: it comes from `TOLLGATE_SMTP_PASSWORD`. */
export const SMTP = v.pipe(
  mapping(
    {
      host: textLike(HOST, 'a name or an address'),
      /** Default: the usual one of `security`. */
      port: v.optional(wholeNumber(1, 65_535)),
      /** `StartTLS`: encrypted after a greeting, and never without (port 587). `TLS`: from the first byte (465). `None`: not at all (25). */
      security: v.optional(oneOf('StartTLS', 'TLS', 'None'), 'StartTLS'),
      /** Who the mails are from. */
      from: textLike(ADDRESS, 'an address such as tollgate@example.com'),
      /** Null where the server asks for no password. */
      username: v.optional(v.nullable(text('a text')), null),
    },
    ' (the password is in TOLLGATE_SMTP_PASSWORD)',
  ),
  v.check(
    ({ username, security }) => username === null || security !== 'None',
    'has a username and security None, which would send the password in the clear: write StartTLS or TLS',
  ),
  v.transform((smtp) => ({ ...smtp, port: smtp.port ?? PORTS[smtp.security] })),
);

export type Smtp = Readonly<v.InferOutput<typeof SMTP>>;
