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
    other: (role: string) => `Bạn đang đăng nhập là ${role}.`,
    instead: 'Đăng nhập với vai trò khác:',
    out: 'Đăng xuất',
    remembered: 'Không kết nối được với máy chủ: trang đang dùng lần đăng nhập trước.',
    citizen: 'người dân',
    facility: 'cơ sở tiêm chủng',
    province: 'sở y tế tỉnh',
    ministry: 'Bộ Y tế',
    response: 'trung tâm đáp ứng',
    verifier: 'máy quét',
    or: 'hoặc',
  },
  {
    title: 'Log in',
    lead: (roles: string) => `This page is for ${roles}.`,
    with: (name: string) => `Log in with ${name}`,
    demo: 'Demo: choose a role',
    demoHint: 'No password is needed; all data here is made up.',
    none: 'No way to log in is set up here. Tell whoever runs the service: it needs [openid] in its settings.',
    other: (role: string) => `You are logged in as ${role}.`,
    instead: 'Log in as somebody else:',
    out: 'Log out',
    remembered: 'The service cannot be reached: the page goes on with the last log-in.',
    citizen: 'citizens',
    facility: 'vaccination sites',
    province: 'provincial health departments',
    ministry: 'the Ministry of Health',
    response: 'the response centre',
    verifier: 'verifiers',
    or: 'or',
  },
);

/** Roles as a sentence has them: `a, b or c`. */
export function named(roles: readonly Role[]): string {
  const names = roles.map((role) => words()[role]);
  const last = names.pop() ?? '';
  return names.length ? `${names.join(', ')} ${words().or} ${last}` : last;
}
