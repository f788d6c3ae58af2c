import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/** Sends ten messages and consumes them, signed by an account: NAMESRV TOPIC GROUP ACCESS_KEY SECRET_KEY. */
public class Secured {
    private static final int MESSAGES = 10;

    public static void main(String[] args) throws Exception {
        AclClientRPCHook hook = new AclClientRPCHook(new SessionCredentials(args[3], args[4]));
        DefaultMQProducer producer = new DefaultMQProducer(args[2], hook);
        producer.setNamesrvAddr(args[0]);
        producer.setRetryTimesWhenSendFailed(0);
        producer.start();
        try {
            for (int i = 0; i < MESSAGES; i++) {
                producer.send(new Message(args[1], ("message " + i).getBytes()));
            }
        } catch (Exception error) {
            System.out.println("refused " + error.getMessage().replace('\n', ' ') + " " + error.getCause());
            System.exit(0);
        }
        System.out.println("sent");
        CountDownLatch left = new CountDownLatch(MESSAGES);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(args[2], hook, new AllocateMessageQueueAveragely());
        consumer.setNamesrvAddr(args[0]);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(args[1], "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(message -> left.countDown());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        boolean all = left.await(20, TimeUnit.SECONDS);
        System.out.println(all ? "consumed" : "missing " + left.getCount());
        consumer.shutdown();
        producer.shutdown();
        System.exit(0);
    }
}
