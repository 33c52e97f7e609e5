import { useEffect, useState } from 'react';

export function ChatComponent({ recipientId }) {
    const [messages, setMessages] = useState([]);
    const [typingUsers, setTypingUsers] = useState([]);

    useEffect(() => {
        window.ws.connect();

        // Listen for new messages
        window.ws.on('chat', 'message_received', (data) => {
            if (data.from_user_id === recipientId) {
                setMessages(prev => [...prev, data]);
            }
        });

        // Listen for typing indicators
        window.ws.on('chat', 'user_typing', (data) => {
            if (data.is_typing) {
                setTypingUsers(prev => [...prev, data.user_id]);
            } else {
                setTypingUsers(prev => prev.filter(id => id !== data.user_id));
            }
        });

        return () => {
            window.ws.off('chat', 'message_received', null);
        };
    }, [recipientId]);

    const sendMessage = (text) => {
        window.ws.sendMessage(recipientId, text);
    };

    const handleTyping = (isTyping) => {
        window.ws.setTyping(recipientId, isTyping);
    };

    return (
        <div className="chat">
            <div className="messages">
                {messages.map((msg, idx) => (
                    <div key={idx} className="message">
                        <strong>{msg.from_user_id === recipientId ? 'Them' : 'You'}</strong>
                        <p>{msg.message}</p>
                    </div>
                ))}
                {typingUsers.length > 0 && (
                    <p className="typing-indicator">Someone is typing...</p>
                )}
            </div>
            <input
                type="text"
                placeholder="Type a message..."
                onKeyPress={(e) => {
                    if (e.key === 'Enter') {
                        sendMessage(e.target.value);
                        e.target.value = '';
                    }
                }}
                onInput={() => handleTyping(true)}
                onBlur={() => handleTyping(false)}
            />
        </div>
    );
}
