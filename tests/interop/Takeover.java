import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * A producer and a push consumer that run until they are told to stop, and say what happens to each message.
 *
 * <pre>
 * java Takeover NAMESRV TOPIC MESSAGES_PER_SECOND
 * stdin   pause | resume     the consumer stops and goes on to pull
 *         finish             the producer stops
 *         quit
 * stdout  ready
 *         sent KEY BROKER MILLIS      acknowledged
 *         failed KEY MILLIS REASON    given up after all retries
 *         got KEY BROKER MILLIS       handed to the listener
 *         finished
 * </pre>
 */
public final class Takeover {
    private static final int SENDERS = 4;
    private static final int REFRESH_MILLIS = 1000;

    private static volatile boolean sending = true;

    public static void main(String[] arguments) throws Exception {
        String nameServers = arguments[0];
        String topic = arguments[1];
        DefaultMQPushConsumer consumer = consumer(nameServers, topic);
        DefaultMQProducer producer = producer(nameServers);
        consumer.start();
        producer.start();
        say("ready");
        List<Thread> senders = startSenders(producer, topic, Integer.parseInt(arguments[2]));
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String command;
        while ((command = commands.readLine()) != null && !command.equals("quit")) {
            if (command.equals("pause")) {
                consumer.suspend();
            } else if (command.equals("resume")) {
                consumer.resume();
            } else if (command.equals("finish")) {
                sending = false;
                for (Thread sender : senders) {
                    sender.join();
                }
                say("finished");
            }
        }
        producer.shutdown();
        consumer.shutdown();
    }

    private static DefaultMQPushConsumer consumer(String nameServers, String topic) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("takeover-consumers");
        consumer.setNamesrvAddr(nameServers);
        consumer.setInstanceName("consumer");
        consumer.setPollNameServerInterval(REFRESH_MILLIS);
        consumer.setHeartbeatBrokerInterval(REFRESH_MILLIS);
        consumer.setPersistConsumerOffsetInterval(REFRESH_MILLIS);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            String broker = context.getMessageQueue().getBrokerName();
            for (MessageExt message : messages) {
                say("got " + message.getKeys() + " " + broker + " " + System.currentTimeMillis());
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        return consumer;
    }

    private static DefaultMQProducer producer(String nameServers) {
        DefaultMQProducer producer = new DefaultMQProducer("takeover-producers");
        producer.setNamesrvAddr(nameServers);
        producer.setInstanceName("producer");
        producer.setPollNameServerInterval(REFRESH_MILLIS);
        producer.setHeartbeatBrokerInterval(REFRESH_MILLIS);
        producer.setRetryTimesWhenSendFailed(3);
        producer.setRetryAnotherBrokerWhenNotStoreOK(false);
        return producer;
    }

    private static List<Thread> startSenders(DefaultMQProducer producer, String topic, int messagesPerSecond) {
        AtomicLong numbers = new AtomicLong();
        long pauseNanos = 1_000_000_000L * SENDERS / messagesPerSecond;
        List<Thread> senders = new ArrayList<>();
        for (int index = 0; index < SENDERS; index++) {
            Thread sender = new Thread(() -> send(producer, topic, numbers, pauseNanos));
            sender.start();
            senders.add(sender);
        }
        return senders;
    }

    private static void send(DefaultMQProducer producer, String topic, AtomicLong numbers, long pauseNanos) {
        long next = System.nanoTime();
        while (sending) {
            String key = Long.toString(numbers.incrementAndGet());
            try {
                SendResult result = producer.send(new Message(topic, "", key, key.getBytes(StandardCharsets.UTF_8)));
                say("sent " + key + " " + result.getMessageQueue().getBrokerName() + " " + System.currentTimeMillis());
            } catch (Exception error) {
                String reason = String.valueOf(error.getMessage()).replaceAll("\\s+", " ");
                say("failed " + key + " " + System.currentTimeMillis() + " " + reason);
            }
            next = Math.max(next + pauseNanos, System.nanoTime());
            sleepUntil(next);
        }
    }

    private static void sleepUntil(long nanos) {
        long left = nanos - System.nanoTime();
        if (left > 0) {
            try {
                Thread.sleep(left / 1_000_000, (int) (left % 1_000_000));
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line);
    }

    private Takeover() {
    }
}
