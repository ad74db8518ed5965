// Words that every page uses.
import { dictionary } from './language.svelte';

export const common = dictionary(
  {
    name: 'Thẻ Xanh',
    skip: 'Tới nội dung chính',
    home: 'Trang đầu',
    other: 'English',
    otherLabel: 'Switch to English',
    offline: 'Mất kết nối mạng.',
    retry: 'Thử lại',
    close: 'Đóng',
    failed: 'Không thực hiện được. Hãy thử lại; nếu vẫn không được, gọi trung tâm đáp ứng.',
    unreachable: 'Không kết nối được với máy chủ. Hãy kiểm tra mạng rồi thử lại.',
    loading: 'Đang tải…',
    needsScript: 'Trang này cần JavaScript.',
  },
  {
    name: 'Thẻ Xanh',
    skip: 'Skip to the main content',
    home: 'Start page',
    other: 'Tiếng Việt',
    otherLabel: 'Chuyển sang tiếng Việt',
    offline: 'There is no network.',
    retry: 'Try again',
    close: 'Close',
    failed: 'That did not work. Try again; if it still fails, call the response centre.',
    unreachable: 'The service cannot be reached. Check the network and try again.',
    loading: 'Loading…',
    needsScript: 'This page needs JavaScript.',
  },
);
