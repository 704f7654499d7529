import { readSettings } from '@quern/service';
import { expect, test } from 'vitest';
import { isAddressAllowed, isHostAllowed } from '../src/address-rules.ts';
import { egressRules } from '../src/egress-rules.ts';
import { egressSettings } from '../src/settings.ts';

test('nothing but public addresses is allowed by default', () => {
  const rules = egressRules(readSettings(egressSettings, {}));
  expect(rules).toEqual({ allow: [], httpsOnly: false });
});

test('ranges, addresses and host names are read from a list', () => {
  const { allow, httpsOnly } = egressRules(
    readSettings(egressSettings, {
      QUERN_EGRESS_ALLOW: '10.0.0.0/8, ::1,minio.internal',
      QUERN_EGRESS_HTTPS_ONLY: 'true',
    }),
  );
  expect(httpsOnly).toBe(true);
  expect(isAddressAllowed('10.1.1.1', allow)).toBe(true);
  expect(isAddressAllowed('::1', allow)).toBe(true);
  expect(isHostAllowed('minio.internal', allow)).toBe(true);
});

test('what is none of these is named with the variable', () => {
  expect(() => readSettings(egressSettings, { QUERN_EGRESS_ALLOW: '10.0.0.0/99' })).toThrow(
    /QUERN_EGRESS_ALLOW: got "10\.0\.0\.0\/99", expected addresses.*not "10\.0\.0\.0\/99"/,
  );
});
