import { flagText, listText, setting } from '@quern/service';
import { z } from 'zod';
import { type AllowRule, parseAllowRule } from './address-rules.ts';

const EXPECTED = 'expected addresses, ranges such as 10.1.0.0/16 or host names, comma separated';

/** Settings of every process that sends requests to addresses that clients name. */
export const egressSettings = {
  egressAllow: setting<readonly AllowRule[]>({
    variable: 'QUERN_EGRESS_ALLOW',
    schema: listText().pipe(
      z.array(z.string()).transform((items, context): readonly AllowRule[] =>
        items.flatMap((item) => {
          const rule = parseAllowRule(item);
          if (rule !== undefined) return [rule];
          context.addIssue({ code: 'custom', message: `${EXPECTED}; not ${JSON.stringify(item)}` });
          return [];
        }),
      ),
    ),
    fallback: [],
    meaning:
      'Addresses, ranges (`10.1.0.0/16`) and host names, comma separated, that webhooks and inputs by URL may reach though they are not public.',
  }),
  egressHttpsOnly: setting({
    variable: 'QUERN_EGRESS_HTTPS_ONLY',
    schema: flagText(),
    fallback: false,
    meaning:
      'Whether webhooks and inputs by URL are refused when they are `http://`. What QUERN_EGRESS_ALLOW names may always be.',
  }),
} as const;
