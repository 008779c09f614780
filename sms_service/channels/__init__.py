"""Posts of campaigns to group chats, through which officers forward them."""
