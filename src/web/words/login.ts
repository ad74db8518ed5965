// The words of logging in and out.
import type { Role } from '../shared/session.svelte';
import { dictionary } from './language.svelte';

export const words = dictionary(
  {
    title: 'Đăng nhập',
    lead: (roles: string) => `Trang này dành cho ${roles}.`,
    with: (name: string) => `Đăng nhập bằng ${name}`,
    demo: 'Bản demo: chọn một vai trò',
    demoHint: 'Không cần mật khẩu; mọi dữ liệu ở đây đều là giả.',
    none: 'Ở đây chưa cài đặt cách đăng nhập nào. Hãy báo người quản trị: cần mục [openid] trong cấu hình.',
    other: (role: string) => `Bạn đang đăng nhập với vai trò: ${role}.`,
    instead: 'Đăng nhập với vai trò khác',
    out: 'Đăng xuất',
    remembered: 'Không kết nối được với máy chủ: trang đang dùng lần đăng nhập trước.',
    citizen: 'người dân',
    facility: 'cơ sở tiêm chủng',
    province: 'sở y tế tỉnh',
    ministry: 'Bộ Y tế',
    response: 'trung tâm đáp ứng',
    verifier: 'máy quét',
    forCitizen: 'người dân',
    forFacility: 'cơ sở tiêm chủng',
    forProvince: 'sở y tế tỉnh',
    forMinistry: 'Bộ Y tế',
    forResponse: 'trung tâm đáp ứng',
    forVerifier: 'máy quét',
    or: 'hoặc',
  },
  {
    title: 'Log in',
    lead: (roles: string) => `This page is for ${roles}.`,
    with: (name: string) => `Log in with ${name}`,
    demo: 'Demo: choose a role',
    demoHint: 'No password is needed; all data here is made up.',
    none: 'No way to log in is set up here. Tell whoever runs the service: it needs [openid] in its settings.',
    other: (role: string) => `You are logged in as: ${role}.`,
    instead: 'Log in as somebody else',
    out: 'Log out',
    remembered: 'The service cannot be reached: the page goes on with the last log-in.',
    citizen: 'citizen',
    facility: 'vaccination site',
    province: 'provincial health department',
    ministry: 'Ministry of Health',
    response: 'response centre',
    verifier: 'verifier',
    forCitizen: 'citizens',
    forFacility: 'vaccination sites',
    forProvince: 'provincial health departments',
    forMinistry: 'the Ministry of Health',
    forResponse: 'the response centre',
    forVerifier: 'verifiers',
    or: 'or',
  },
);

/** Why a log-in by the provider failed, by what the service calls it. */
export const failures = dictionary(
  {
    state: 'Lần đăng nhập đã quá lâu, hoặc bắt đầu ở trình duyệt khác. Hãy đăng nhập lại.',
    denied: 'Bạn đã không đồng ý, hoặc tài khoản không được phép đăng nhập. Hãy đăng nhập lại hoặc hỏi người quản trị.',
    provider: 'Hệ thống đăng nhập không trả lời đúng. Hãy thử lại sau ít phút; nếu vẫn không được, hãy báo người quản trị.',
    token: 'Không xác nhận được kết quả đăng nhập. Hãy đăng nhập lại; nếu vẫn không được, hãy báo người quản trị.',
    role: 'Tài khoản của bạn chưa có vai trò nào ở đây, hoặc có nhiều hơn một. Hãy hỏi người quản trị.',
    place: 'Tài khoản của bạn chưa gắn với một cơ sở hoặc một tỉnh có trong danh mục. Hãy hỏi người quản trị.',
    unavailable: 'Hệ thống đang gián đoạn. Hãy đăng nhập lại sau ít phút.',
  },
  {
    state: 'That log-in took too long, or began in another browser. Log in again.',
    denied: 'You did not agree, or this account may not log in. Log in again, or ask whoever manages the accounts.',
    provider: 'The log-in service did not answer as it should. Try again in a few minutes; if it still fails, tell whoever manages the accounts.',
    token: 'The log-in could not be confirmed. Log in again; if it still fails, tell whoever manages the accounts.',
    role: 'Your account has no role here, or more than one. Ask whoever manages the accounts.',
    place: 'Your account belongs to no facility or province that is known here. Ask whoever manages the accounts.',
    unavailable: 'The service is interrupted. Log in again in a few minutes.',
  },
);

/** For whom something is, as a sentence has it: `a, b or c`. */
export function forWhom(roles: readonly Role[]): string {
  const names = roles.map((role) => words()[FOR[role]]);
  const last = names.pop() ?? '';
  return names.length ? `${names.join(', ')} ${words().or} ${last}` : last;
}

const FOR = {
  citizen: 'forCitizen',
  facility: 'forFacility',
  province: 'forProvince',
  ministry: 'forMinistry',
  response: 'forResponse',
  verifier: 'forVerifier',
} as const;
